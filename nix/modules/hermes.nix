# services.hermes: the wall screen's page, on loopback.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.hermes;
  program = import ./program.nix {
    inherit config lib pkgs;
    name = "hermes";
    command = "run";
    description = "SOCme's wall screen";
    leaves = {
      hub_address = mkOption {
        type = types.nullOr (types.strMatching ".+:[0-9]+");
        default = null;
        example = "zeus.example:8443";
        description = "Where the hub is. Null: where it was at enrolment.";
      };
      listen = mkOption {
        type = types.strMatching ".+:[0-9]+";
        default = "127.0.0.1:8080";
        description = "Where the wall page is served. It has no login, so it belongs on loopback.";
      };
      watch.clients = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Only these clients; empty for all that the screen's certificate allows.";
      };
      watch.min_severity = mkOption {
        type = types.enum [ "low" "medium" "high" "critical" ];
        default = "low";
        description = "Alerts below it are not shown.";
      };
    };
  };
in
{
  imports = [ ./kiosk.nix ];

  options.services.hermes = program.options;

  config = lib.mkIf cfg.enable (lib.mkMerge [
    program.config
    {
      systemd.services.hermes.serviceConfig = {
        MemoryHigh = lib.mkDefault "192M";
        MemoryMax = lib.mkDefault "256M";
        TasksMax = lib.mkDefault 64;
      };
    }
  ]);
}
