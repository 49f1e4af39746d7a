# What a machine's configuration becomes: units as text, settings files as values, users, groups and ports.
#   nix-instantiate --eval --strict --json nix/tests/eval.nix --arg machine '{ services.zeus.enable = true; }'
# `lib` may be nixpkgs' own instead of the stand-in: --arg lib 'import /path/to/nixpkgs/lib'
{ machine, lib ? import ../shim/lib.nix }:
let
  inherit (builtins) concatLists concatStringsSep filter isBool isList map mapAttrs attrValues toString;

  pkgs = {
    socme = { type = "derivation"; name = "socme"; outPath = "/opt/socme"; };
    cage = { type = "derivation"; name = "cage"; outPath = "/opt/cage"; };
    chromium = { type = "derivation"; name = "chromium"; outPath = "/opt/chromium"; };
    curl = { type = "derivation"; name = "curl"; outPath = "/opt/curl"; };
    formats.toml = _: {
      type = lib.types.attrsOf lib.types.anything;
      generate = name: value: { type = "derivation"; outPath = "/etc/generated/${name}"; inherit name value; };
    };
  };

  inherit ((lib.evalModules {
    modules = [
      ./nixos-stub.nix
      ../modules/artemis.nix
      ../modules/zeus.nix
      ../modules/hermes.nix
      { _module.args.pkgs = pkgs; }
      machine
    ];
  })) config;

  failed = filter (each: !each.assertion) config.assertions;

  line = key: value: "${key}=${if isBool value then (if value then "true" else "false") else toString value}\n";
  lines = key: value: concatStringsSep "" (map (line key) (if isList value then value else [ value ]));
  section = name: keys: "[${name}]\n" + concatStringsSep "" (attrValues (mapAttrs lines keys));
  unit = service: concatStringsSep "\n" [
    (section "Unit" (builtins.removeAttrs ({
      StartLimitIntervalSec = service.startLimitIntervalSec;
    } // service.unitConfig // {
      Description = service.description;
      Wants = toString service.wants;
      After = toString service.after;
      Conflicts = toString service.conflicts;
    }) (if service.startLimitIntervalSec == null then [ "StartLimitIntervalSec" ] else [ ])))
    (section "Service" service.serviceConfig)
    (section "Install" { WantedBy = toString service.wantedBy; })
  ];
in
if failed != [ ] then throw "Failed assertions: ${concatStringsSep "; " (map (each: each.message) failed)}"
else {
  units = mapAttrs (_: unit) config.systemd.services;
  settings = mapAttrs (_: file: file.source.value) config.environment.etc;
  users = builtins.attrNames config.users.users;
  groups = builtins.attrNames config.users.groups;
  ports = config.networking.firewall.allowedTCPPorts;
}
