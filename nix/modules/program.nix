# What the three programs have in common on NixOS: options, settings file, user, unit.
{ config, lib, pkgs, name, command, description, leaves }:
let
  cfg = config.services.${name};
  format = pkgs.formats.toml { };
  # TOML has no null: a key that is not set is not written.
  file = format.generate "${name}.toml" (lib.filterAttrsRecursive (_: value: value != null) cfg.settings);
in
{
  options = {
    enable = lib.mkEnableOption description;
    package = lib.mkPackageOption pkgs "socme" { };
    settings = lib.mkOption {
      type = lib.types.submodule {
        freeformType = format.type;
        options = leaves // {
          state_dir = lib.mkOption {
            type = lib.types.str;
            default = "/var/lib/${name}";
            description = "Folder for everything that the program writes. The unit may write nowhere else.";
          };
        };
      };
      default = { };
      description = "Contents of /etc/socme/${name}.toml; see docs/configuration.md for every key. Readable by all: no secrets.";
    };
  };

  config = {
    assertions = [{
      assertion = cfg.settings.state_dir == "/var/lib/${name}";
      message = "services.${name}.settings.state_dir must stay /var/lib/${name}: the unit may write nowhere else";
    }];

    environment.systemPackages = [ cfg.package ];
    environment.etc."socme/${name}.toml".source = file;

    users.groups.${name} = { };
    users.users.${name} = {
      inherit description;
      isSystemUser = true;
      group = name;
      # There before the first start, so that the program can be enrolled as this user.
      home = "/var/lib/${name}";
      createHome = true;
    };

    systemd.services.${name} = {
      inherit description;
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      # Never gives up: a sensor that systemd stopped restarting is silent.
      startLimitIntervalSec = 0;
      restartTriggers = [ file ];
      serviceConfig = lib.mkMerge [
        (import ./hardening.nix { inherit lib; })
        {
          Type = "notify";
          NotifyAccess = "main";
          ExecStart = "${lib.getExe' cfg.package name} ${command} --config /etc/socme/${name}.toml";
          Restart = "on-failure";
          RestartSec = 5;
          WatchdogSec = 30;
          TimeoutStopSec = 15;
          User = name;
          Group = name;
          StateDirectory = name;
          StateDirectoryMode = "0700";
        }
      ];
    };
  };
}
