# The sandbox of all three programs, the same as in systemd/*.service (a test compares them). Each setting may be
# overridden plainly: systemd.services.zeus.serviceConfig.IPAddressAllow = "any";
{ lib }:
lib.mapAttrs (_: lib.mkDefault) {
  # Files
  ProtectSystem = "strict";
  ProtectHome = true;
  PrivateTmp = true;
  PrivateDevices = true;
  PrivateMounts = true;
  UMask = "0077";

  # Kernel and other processes
  ProtectProc = "invisible";
  ProcSubset = "pid";
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  RemoveIPC = true;
  KeyringMode = "private";

  # Privileges
  NoNewPrivileges = true;
  PrivateUsers = true;
  CapabilityBoundingSet = "";
  AmbientCapabilities = "";

  # Network: private networks and tailnets
  RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" ];
  IPAddressDeny = "any";
  IPAddressAllow = [
    "localhost"
    "link-local"
    "10.0.0.0/8"
    "172.16.0.0/12"
    "192.168.0.0/16"
    "100.64.0.0/10"
    "fc00::/7"
  ];

  # System calls
  SystemCallArchitectures = "native";
  SystemCallFilter = [ "@system-service" "~@privileged @resources @obsolete" ];
  SystemCallErrorNumber = "EPERM";
}
