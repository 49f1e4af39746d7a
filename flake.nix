{
  description = "SOCme: Artemis on each client's network, Zeus in the middle, Hermes on the wall";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      each = make: lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: make nixpkgs.legacyPackages.${system});
      overlay = final: _: { socme = final.callPackage ./nix/package.nix { }; };
      # A module of ours with the package that it needs.
      complete = module: { imports = [ module ]; config.nixpkgs.overlays = [ overlay ]; };
    in
    {
      overlays.default = overlay;

      packages = each (pkgs: rec {
        socme = pkgs.callPackage ./nix/package.nix { };
        default = socme;
      });

      nixosModules = {
        artemis = complete (import ./nix/modules/artemis.nix);
        zeus = complete (import ./nix/modules/zeus.nix);
        hermes = complete (import ./nix/modules/hermes.nix);
        default = {
          imports = map import [ ./nix/modules/artemis.nix ./nix/modules/zeus.nix ./nix/modules/hermes.nix ];
          config.nixpkgs.overlays = [ overlay ];
        };
      };

      # The stand-in for nixpkgs (nix/shim) has no testers, so this is run with real nixpkgs only.
      checks = each (pkgs: lib.optionalAttrs (pkgs ? testers) {
        vm = pkgs.testers.runNixOSTest (import ./nix/tests/vm.nix { inherit self; });
      });
    };
}
