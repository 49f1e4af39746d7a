# NOT YET RUN: needs real nixpkgs and KVM, see docs/nix.md. `nix build .#checks.x86_64-linux.vm`.
# A hub and a node as two machines: enrol by hand, write one alert, find it at the hub.
{ self }:
{
  name = "socme";

  nodes.hub = {
    imports = [ self.nixosModules.zeus ];
    services.zeus = {
      enable = true;
      openFirewall = true;
      settings.public_address = "hub:8443";
    };
  };

  nodes.site = {
    imports = [ self.nixosModules.artemis ];
    services.artemis = {
      enable = true;
      settings.source = [{ kind = "suricata"; path = "/var/log/suricata/eve.json"; start = "beginning"; }];
    };
    systemd.tmpfiles.rules = [ "d /var/log/suricata 0755 root root" ];
  };

  testScript = ''
    alert = '{"timestamp":"2026-01-02T03:04:05.000000+0000","event_type":"alert","src_ip":"192.0.2.1","dest_ip":"192.0.2.2","proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":1,"rev":1,"signature":"vm test","category":"","severity":1}}'

    start_all()
    hub.wait_for_unit("zeus.service")

    with subtest("a node is enrolled with one line"):
        hub.succeed("sudo -u zeus zeus client add acme")
        token = hub.succeed("sudo -u zeus zeus token create --client acme --node acme-1").strip().splitlines()[-1].split()[-1]
        site.succeed(f"sudo -u artemis artemis enroll {token}")
        site.succeed("systemctl restart artemis.service")
        site.wait_for_unit("artemis.service")

    with subtest("an alert that is written at the site is kept at the hub"):
        site.succeed(f"echo '{alert}' >> /var/log/suricata/eve.json")
        hub.wait_until_succeeds("sudo -u zeus zeus alert list --json | grep -q 'vm test'", timeout=30)
  '';
}
