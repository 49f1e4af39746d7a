/* Preloaded into a program, it writes down what the program does to the databases of one folder, POWER_FOLDER, in
 * the file POWER_LOG: each write, each cut, each sync, in order. What a power cut leaves of them is worked out from
 * that by power.py. A record is a head and, behind it, the file's name and what was written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
    char kind; /* w: write, t: truncate, s: sync */
    uint8_t name;
    uint8_t unused[6];
    uint64_t offset, size;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int ends_with(const char *text, const char *end) {
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && !strcmp(text + size - tail, end);
}

static void record(char kind, int file, uint64_t offset, uint64_t size, const void *data) {
    static int log = -1;
    const char *folder = getenv("POWER_FOLDER"), *path = getenv("POWER_LOG");
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length <= 0 || !folder || !path) return;
    name[length] = 0;
    char *slash = strrchr(name, '/');
    if (!slash || strncmp(name, folder, slash - name) || folder[slash - name]) return;
    char *base = slash + 1;
    if (!ends_with(base, ".db") && !ends_with(base, ".db-wal")) return;
    struct head head = {.kind = kind, .name = strlen(base), .offset = offset, .size = data ? size : 0};
    struct iovec parts[] = {{&head, sizeof head}, {base, head.name}, {(void *)data, head.size}};
    pthread_mutex_lock(&one_at_a_time);
    if (log < 0) log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (writev(log, parts, 3) < 0) abort();
    pthread_mutex_unlock(&one_at_a_time);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset) {
    ssize_t done = REAL(pwrite64)(file, data, size, offset);
    if (done > 0) record('w', file, offset, done, data);
    return done;
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset) { return pwrite64(file, data, size, offset); }

int ftruncate64(int file, off64_t size) {
    int failed = REAL(ftruncate64)(file, size);
    if (!failed) record('t', file, size, 0, NULL);
    return failed;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int fsync(int file) {
    int failed = REAL(fsync)(file);
    if (!failed) record('s', file, 0, 0, NULL);
    return failed;
}

int fdatasync(int file) {
    int failed = REAL(fdatasync)(file);
    if (!failed) record('s', file, 0, 0, NULL);
    return failed;
}
