# services.hermes.kiosk: a browser that shows the wall on this machine's own screen, as systemd/hermes-kiosk.service does.
# Not services.cage: that is a login session, and what limits a service does not hold for a session's processes.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.hermes;
  page = "http://${cfg.settings.listen}/";
  runtime = "/run/hermes-kiosk";
  browser = lib.concatStringsSep " " [
    "${lib.getExe' pkgs.cage "cage"} -d -- ${lib.getExe' pkgs.chromium "chromium"} --kiosk"
    "--user-data-dir=${runtime}/chromium --disk-cache-size=1048576"
    "--ozone-platform=wayland --password-store=basic --no-first-run --noerrdialogs"
    "--disable-background-networking --disable-component-update --disable-sync --disable-session-crashed-bubble"
    "--disable-features=Translate --autoplay-policy=no-user-gesture-required ${page}"
  ];
  hardening = import ./hardening.nix { inherit lib; };
in
{
  options.services.hermes.kiosk.enable = lib.mkEnableOption "a browser that shows the wall on this machine's own screen";

  config = lib.mkIf (cfg.enable && cfg.kiosk.enable) {
    services.seatd.enable = true;
    hardware.graphics.enable = lib.mkDefault true;
    fonts.enableDefaultPackages = lib.mkDefault true;

    users.groups.hermes-kiosk = { };
    users.users.hermes-kiosk = {
      description = "SOCme kiosk browser";
      isSystemUser = true;
      group = "hermes-kiosk";
      home = runtime;
    };

    systemd.services.hermes-kiosk = {
      description = "Hermes's kiosk: a browser that shows the wall on this machine's screen";
      wantedBy = [ "multi-user.target" ];
      wants = [ "hermes.service" "seatd.service" ];
      after = [ "hermes.service" "seatd.service" "systemd-user-sessions.service" "plymouth-quit-wait.service" ];
      conflicts = [ "getty@tty1.service" ];
      unitConfig.ConditionPathExists = "/dev/tty0";
      startLimitIntervalSec = 0;
      serviceConfig = lib.mapAttrs (_: lib.mkDefault) {
        Type = "simple";
        ExecStart = browser;
        Environment = [
          "HOME=${runtime}"
          "XDG_RUNTIME_DIR=${runtime}"
          "LIBSEAT_BACKEND=seatd"
          "WLR_LIBINPUT_NO_DEVICES=1"
        ];
        Restart = "always";
        RestartSec = 3;
        TimeoutStopSec = 10;
        User = "hermes-kiosk";
        Group = "hermes-kiosk";
        SupplementaryGroups = [ config.services.seatd.group "video" "render" "audio" ];
        RuntimeDirectory = "hermes-kiosk";
        RuntimeDirectoryMode = "0700";
        MemoryHigh = "900M";
        MemoryMax = "1G";
        TasksMax = 512;

        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        PrivateMounts = true;
        UMask = "0077";

        ProtectProc = "invisible";
        ProtectControlGroups = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        LockPersonality = true;
        RestrictNamespaces = "user pid net";
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        RemoveIPC = true;
        KeyringMode = "private";

        NoNewPrivileges = true;
        CapabilityBoundingSet = "";
        AmbientCapabilities = "";

        RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" "AF_NETLINK" ];
        IPAddressDeny = "any";
        IPAddressAllow = "localhost";

        SystemCallArchitectures = "native";
        SystemCallFilter = "~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap";
        SystemCallErrorNumber = "EPERM";
      };
    };

    # Once a night the browser is started anew, if the wall answers.
    systemd.services.hermes-kiosk-reload = {
      description = "Start the kiosk's browser anew, if the wall answers";
      startAt = "*-*-* 04:00";
      serviceConfig = lib.mkMerge [
        hardening
        {
          Type = "oneshot";
          ExecCondition = "${lib.getExe' pkgs.curl "curl"} --silent --fail --max-time 5 --output /dev/null ${page}healthz";
          ExecStart = "${lib.getExe' config.systemd.package "systemctl"} try-restart hermes-kiosk.service";
          IPAddressAllow = "localhost";
        }
      ];
    };
  };
}
