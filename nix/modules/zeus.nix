# services.zeus: the hub.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.zeus;
  address = types.strMatching ".+:[0-9]+";
  port = text: lib.toInt (lib.last (lib.splitString ":" text));
  listen = port cfg.settings.listen;
  enrollListen = if cfg.settings.enroll_listen == null then listen + 1 else port cfg.settings.enroll_listen;
  program = import ./program.nix {
    inherit config lib pkgs;
    name = "zeus";
    command = "serve";
    description = "SOCme's hub";
    leaves = {
      listen = mkOption {
        type = address;
        default = "0.0.0.0:8443";
        description = "Where nodes and screens connect (mutual TLS).";
      };
      enroll_listen = mkOption {
        type = types.nullOr address;
        default = null;
        description = "Where new nodes and screens trade their token for a certificate. Null: the port after `listen`.";
      };
      public_address = mkOption {
        type = types.nullOr address;
        default = null;
        example = "zeus.example:8443";
        description = "How nodes reach `listen`; it is written into enrolment tokens. Null: as `listen`.";
      };
      store.url = mkOption {
        type = types.str;
        default = "sqlite:///zeus.db";
        description = "Where alerts are kept and searched: an SQLAlchemy URL, relative to state_dir.";
      };
    };
  };
in
{
  options.services.zeus = program.options // {
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the ports of `listen` and `enroll_listen`.";
    };
  };

  config = lib.mkIf cfg.enable (lib.mkMerge [
    program.config
    {
      assertions = [{
        assertion = listen != enrollListen;
        message = "services.zeus.settings: listen and enroll_listen need a port each, and both have ${toString listen}";
      }];

      networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [ listen enrollListen ];

      systemd.services.zeus.serviceConfig = {
        MemoryHigh = lib.mkDefault "768M";
        MemoryMax = lib.mkDefault "1G";
        TasksMax = lib.mkDefault 128;
      };
    }
  ]);
}
