# The options of NixOS that our modules set, so that they evaluate without nixpkgs' nixos/ tree.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  list = type: mkOption { type = types.listOf type; default = [ ]; };
  set = mkOption { type = types.attrsOf types.anything; default = { }; };
in
{
  options = {
    assertions = list types.anything;
    environment.etc = set;
    environment.systemPackages = list types.package;
    networking.firewall.allowedTCPPorts = list types.port;
    fonts.enableDefaultPackages = mkOption { type = types.bool; default = false; };
    hardware.graphics.enable = mkOption { type = types.bool; default = false; };
    services.seatd.enable = mkOption { type = types.bool; default = false; };
    services.seatd.group = mkOption { type = types.str; default = "seat"; };
    services.suricata = set;
    users.groups = set;
    users.users = set;
    systemd.package = mkOption {
      type = types.package;
      default = { type = "derivation"; name = "systemd"; outPath = "/run/current-system/sw"; };
    };
    systemd.services = mkOption {
      default = { };
      type = types.attrsOf (types.submodule {
        options = {
          description = mkOption { type = types.str; default = ""; };
          wantedBy = list types.str;
          wants = list types.str;
          after = list types.str;
          conflicts = list types.str;
          startAt = mkOption { type = types.str; default = ""; };
          unitConfig = set;
          restartTriggers = list types.anything;
          startLimitIntervalSec = mkOption { type = types.nullOr types.int; default = null; };
          serviceConfig = set;
        };
      });
    };
  };
}
