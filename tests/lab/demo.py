"""A gateway with four real clients, and a line about each."""

SIZE = 1_000_000


def run(lab, kernel):
    clients = [lab.client(name) for name in lab.crowd("a1", "a2", "a3", "b1")]
    with lab.gateway() as gateway:
        lab.dial(*clients)
        marks = {peer["user"]: peer["mark"] for peer in gateway.peers() or []}
        for client, (rtt, seconds) in zip(clients, lab.prove(*clients, size=SIZE)):
            where = "behind the second NAT" if client.name == "b1" else "behind the first NAT"
            mark = f"mark {marks[client.user]:#010x}" if client.user in marks else "no mark"
            print(f"{kernel} {client.name} {where}: {mark}, PPP address {client.address}, ping {rtt:.1f} ms, "
                  f"{2 * 8 * SIZE / seconds / 1e6:.1f} Mbit/s", flush=True)
        lab.hang_up(*clients)
