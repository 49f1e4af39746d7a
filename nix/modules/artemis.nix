# services.artemis: the node agent.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.artemis;
  suricata = config.services.suricata or { };
  address = types.strMatching ".+:[0-9]+";
  program = import ./program.nix {
    inherit config lib pkgs;
    name = "artemis";
    command = "run";
    description = "SOCme's node agent";
    leaves = {
      hub_address = mkOption {
        type = types.nullOr (types.either address (types.nonEmptyListOf address));
        default = null;
        example = "zeus.example:8443";
        description = "Where the hub is, or a list of its addresses, tried in turn. Null: where it was at enrolment.";
      };
      source = mkOption {
        default = [ ];
        description = "The files to follow.";
        type = types.listOf (types.submodule {
          options = {
            kind = mkOption {
              type = types.enum [ "suricata" "wazuh" ];
              description = "What writes the file.";
            };
            path = mkOption {
              type = types.path;
              example = "/var/log/suricata/eve.json";
              description = "The file; it need not exist yet.";
            };
            start = mkOption {
              type = types.enum [ "end" "beginning" ];
              default = "end";
              description = "Where to begin in a file that was never read.";
            };
          };
        });
      };
      filter.min_severity = mkOption {
        type = types.enum [ "low" "medium" "high" "critical" ];
        default = "low";
        description = "Alerts below it stay on the site and are counted.";
      };
      rollup = mkOption {
        default = { };
        description = "When alerts that say the same are counted into one. Null: never.";
        type = types.nullOr (types.submodule {
          options = {
            burst = mkOption {
              type = types.ints.between 1 1000000;
              default = 20;
              description = "How many alerts with the same rule, source and destination are sent one by one in a window.";
            };
            window_seconds = mkOption {
              type = types.ints.between 1 3600;
              default = 60;
              description = "Length of a window.";
            };
          };
        });
      };
    };
  };
in
{
  options.services.artemis = program.options // {
    extraGroups = mkOption {
      type = types.listOf types.str;
      default = lib.optional (suricata.enable or false) suricata.settings.run-as.group;
      defaultText = lib.literalExpression "the group of services.suricata, where that is enabled";
      example = [ "suricata" "wazuh" ];
      description = "Groups that may read the files to follow.";
    };
  };

  config = lib.mkIf cfg.enable (lib.mkMerge [
    program.config
    {
      assertions = [{
        assertion = cfg.settings.source != [ ];
        message = "services.artemis.settings.source: name at least one file to follow";
      }];

      # A unit with a group that does not exist does not start.
      users.groups = lib.genAttrs cfg.extraGroups (_: { });

      systemd.services.artemis = {
        after = [ "suricata.service" ];
        serviceConfig = {
          SupplementaryGroups = cfg.extraGroups;
          # A sensor's machine has better things to do.
          CPUWeight = lib.mkDefault 20;
          IOWeight = lib.mkDefault 20;
          Nice = lib.mkDefault 5;
          MemoryHigh = lib.mkDefault "192M";
          MemoryMax = lib.mkDefault "256M";
          TasksMax = lib.mkDefault 96;
          # Vitals: /proc/stat and /proc/meminfo, and the machine's addresses.
          ProcSubset = "all";
          RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" "AF_NETLINK" ];
        };
      };
    }
  ]);
}
