"""What an administrator hears of sessions, and what may change while they are up."""

import json
import signal

import checks
from catalogue import scenario
from netns import Failure, wait_for
from scenarios import goodbye
from scenarios_ppp import l2tpd_log
from scenarios_settings import must_have

OFFICE = """
table inet firewall {
  set office { type ipv4_addr; }
  chain forward {
    type filter hook forward priority filter;
    iifname "ppp*" ip saddr != @office drop
  }
}
"""


@scenario("all", "ppp", only="sameroof", kernels="one")
def hooks_and_sets(lab):
    """A program is told of each session as it comes and goes; the user whose address an nftables set of the
    administrator's holds gets through his firewall, the other does not; a hook that hangs holds nothing up."""
    gw = lab.world["gw"]
    inside, outside = clients = [lab.client("a1"), lab.client("a2")]
    record = gw.etc / "heard"
    record.unlink(missing_ok=True)
    gw.write("hook", f'#!/bin/sh\ncat >> {record}\n[ "$1" = session-down ] || sleep 600\n')
    (gw.etc / "hook").chmod(0o700)
    gw.nft(OFFICE)
    users = {"a1": {"nft_sets": ["inet firewall office"]}, "a2": {"nft_sets": ["inet firewall missing"]}}
    hooks = {"session_up": str(gw.etc / "hook"), "session_down": str(gw.etc / "hook"), "timeout_seconds": 5}

    def heard():
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    with lab.gateway(settings={"hooks": hooks}, users=users) as gateway:
        lab.dial(*clients)
        lab.prove(inside)
        if "1 received" in outside.host.run(*checks.ping_command(outside, "-c", 1, "-W", 3), check=False):
            raise Failure("a2 is in no set and came through the firewall")
        must_have("l2tpd's log", l2tpd_log(lab), r"User 'a2' is in no set: there is no set inet firewall missing")
        # The administrator loads his table anew, which empties the set.
        gw.nft("delete table inet firewall\n" + OFFICE)
        wait_for(lambda: "10.99." in gw.run("nft", "list", "set", "inet", "firewall", "office"), 10, "a1 back in the set")
        lab.prove(inside)
        peers = {peer["user"]: peer for peer in gateway.peers()}
        goodbye(lab, *clients)
        wait_for(lambda: len(heard()) == 4, 30, "both hooks for both clients")
        for client in clients:
            up, down = [entry for entry in heard() if entry["user"] == client.user]
            known = peers[client.user]
            if (up["event"], down["event"]) != ("session-up", "session-down"):
                raise Failure(f"{client.name} was to come and go: {up}, {down}")
            for entry in (up, down):
                if (entry["ppp_address"], entry["mark"], entry["ifname"]) != (client.address, known["mark"], known["ifname"]):
                    raise Failure(f"the record is not that of {client.name}: {entry}")
            if (up["peer"]["address"], up["peer"]["port"]) != (known["address"], known["port"]):
                raise Failure(f"{client.name}: the record names another peer: {up}")
        spent = [entry for entry in heard() if entry["user"] == "a1" and entry["event"] == "session-down"][0]
        if min(spent["bytes_in"], spent["bytes_out"]) < 200_000 or not spent["why"]:
            raise Failure(f"a1's traffic and end were to be told: {spent}")
        if "10.99." in gw.run("nft", "list", "set", "inet", "firewall", "office"):
            raise Failure("an address stays in the set of a user who has left")
        must_have("l2tpd's log", l2tpd_log(lab), r"The hook \S+ was ended: it took too long")


@scenario("all", "ppp", only="sameroof", kernels="one")
def reload_keeps_sessions(lab):
    """New users and another pool hold from the next session on; one that is up loses no ping. A file with a mistake is
    refused as a whole."""
    stays, comes, goes = [lab.client("a1"), lab.client("a2"), lab.client("a3")]
    gw = lab.world["gw"]
    with lab.gateway() as gateway:
        lab.dial(stays)
        lab.prove(stays)
        ping = stays.host.spawn("ping", *checks.ping_command(stays))
        pool, user = 'pool = "10.99.1.0/24"', '[[user]]\nname = "a3"\n'
        text = (gw.etc / "sameroof.toml").read_text()
        refused = gateway.rewrite(text.replace(pool, 'pool = "10.99.2.0/30"').replace('"10.99.0.53"', '"nowhere"'))
        if "ppp.dns: must be an IPv4 address" not in refused:
            raise Failure(f"a mistake was to be refused: {refused}")
        gateway.l2tpd.send_signal(signal.SIGHUP)
        wait_for(lambda: "The configuration stays as it was" in l2tpd_log(lab), 10, "l2tpd refusing the file by itself")
        in_use = gateway.rewrite(text.replace('"10.99.0.1"', f'"{stays.address}"'))
        if "ppp.local_address: is the address of a session of user 'a1'" not in in_use:
            raise Failure(f"the address of a session was to become nobody else's: {in_use}")
        told = gateway.rewrite(text.replace(pool, 'pool = "10.99.2.0/30"').replace(user, ""))
        if "1 user removed, [ppp] changed" not in told:
            raise Failure(f"xfrmctl reload was to say what changed: {told}")
        lab.dial(comes)
        lab.prove(stays, comes)
        if not comes.address.startswith("10.99.2."):
            raise Failure(f"a2 was to have an address of the new pool: {comes.address}")
        try:
            goes.up(45)
        except Failure as failure:
            if "PPP was refused" not in str(failure):
                raise
        else:
            raise Failure("a user who is no longer in the configuration was let in")
        must_have("l2tpd's log", l2tpd_log(lab), r"The configuration stays as it was: sameroof.toml: line \d+: ppp.dns",
                  r"The configuration was read again: 1 user removed, \[ppp\] changed", r"User 'a3' of .* refused: no such user")
        ping.send_signal(2)
        ping.wait(20)
        if " 0% packet loss" not in stays.host.log("ping").read_text():
            raise Failure(f"a session that was up lost pings: {stays.host.log('ping').read_text()[-200:]}")
        goodbye(lab, stays, comes, goes)
