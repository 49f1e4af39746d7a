# All four programs. The versions are nixpkgs' own, not those of requirements.lock; the floors in pyproject.toml hold.
{ lib, python3 }:

python3.pkgs.buildPythonApplication {
  pname = "socme";
  version = "0.1.0";
  pyproject = true;
  src = ../.;

  build-system = [ python3.pkgs.hatchling ];

  dependencies = with python3.pkgs; [
    aiosmtplib
    alembic
    apprise
    common-expression-language
    cryptography
    grpcio
    grpcio-health-checking
    httpx
    icalendar
    inotify-simple
    jinja2
    lark
    msgspec
    protobuf
    psutil
    psycopg
    pydantic
    pydantic-settings
    rich
    sqlalchemy
    starlette
    stringzilla
    typer
    uvicorn
    zstandard
  ];

  nativeCheckInputs = with python3.pkgs; [
    aiosmtpd
    hypothesis
    pytest-asyncio
    pytest-timeout
    pytestCheckHook
    scapy
  ];
  # They start systemd, Suricata or a second build, none of which is in the build sandbox.
  disabledTestMarks = [ "slow" "suricata" ];
  disabledTestPaths = [ "tests/packaging" ];
  pythonImportsCheck = [ "artemis_agent" "hermes_display" "socme" "zeus_hub" ];

  meta = {
    description = "A decentralised SOC: Artemis on each client's network, Zeus in the middle, Hermes on the wall";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
    mainProgram = "socme";
  };
}
