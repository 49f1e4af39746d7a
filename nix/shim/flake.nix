{
  description = "Stands in for nixpkgs, so that the flake evaluates and builds a stub without a network";

  outputs = { self }:
    let
      lib = import ./lib.nix;
      stub = system: name: inputs: derivation {
        inherit system name inputs;
        builder = "/bin/sh";
        args = [ "-c" "echo ${name} > $out" ];
      };
      # The Python packages that package.nix may ask for, under the names nixpkgs has for them.
      python = [
        "aiosmtpd" "aiosmtplib" "alembic" "apprise" "common-expression-language" "cryptography" "grpcio"
        "grpcio-health-checking" "hatchling" "httpx" "hypothesis" "icalendar" "inotify-simple" "jinja2" "lark"
        "msgspec" "protobuf" "psutil" "psycopg" "pydantic" "pydantic-settings" "pytest-asyncio" "pytest-timeout"
        "pytestCheckHook" "rich" "scapy" "sqlalchemy" "starlette" "stringzilla" "typer" "uvicorn"
        "zstandard"
      ];
      packages = system: rec {
        inherit lib;
        python3.pkgs = lib.genAttrs python (name: stub system name [ ]) // {
          buildPythonApplication = asked:
            stub system "${asked.pname}-${asked.version}" (asked.build-system ++ asked.dependencies ++ asked.nativeCheckInputs);
        };
        callPackage = file: given:
          let function = import file; in
          function (builtins.intersectAttrs (builtins.functionArgs function) { inherit lib python3; } // given);
      };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] packages;
    };
}
