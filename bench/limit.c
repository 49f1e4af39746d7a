// What a scan costs at least: read a file through one buffer and write the lines that hold a text, by memmem(3).
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (256 * 1024)
#define LONGEST (16 * 1024 * 1024)

int main(int count, char **names) {
    const char text[] = "\"event_type\":\"alert\"";
    int file = count == 2 ? open(names[1], O_RDONLY) : -1;
    char *buffer = malloc(BLOCK + LONGEST);
    size_t filled = 0;
    ssize_t got;
    if (file < 0 || !buffer) return 1;
    while ((got = read(file, buffer + filled, BLOCK)) > 0) {
        filled += got;
        char *end = memrchr(buffer, '\n', filled);
        if (!end) {
            if (filled > LONGEST) return 1;
            continue;
        }
        end++;
        for (char *from = buffer, *hit; (hit = memmem(from, end - from, text, sizeof text - 1));) {
            char *begin = memrchr(from, '\n', hit - from);
            begin = begin ? begin + 1 : from;
            from = (char *)memchr(hit, '\n', end - hit) + 1;
            fwrite(begin, 1, from - begin, stdout);
        }
        filled -= end - buffer;
        memmove(buffer, end, filled);
    }
    return got < 0;
}
