"""A client whose L2TP is Windows' (lac.py), over strongSwan's IPsec, with the kernel's L2TP and pppd."""

import types

from client import Client, size_of
from lac import WindowsLac, kernel_socket
from netns import stop


class WindowsClient(Client):
    def __init__(self, host, **options):
        super().__init__(host, **options)
        self.lac, self.l2tp_port = None, options.get("l2tp_port", 1701)
        self.kernel = {}  # session id → its socket; 0: the tunnel's
        self.pppds = {}

    def start_l2tp(self, patience=45):
        self.lac = WindowsLac(self.host, self.remote, port=self.l2tp_port)
        self.lac.dial(patience)
        self.kernel[0] = kernel_socket(self.host, self.lac)
        self.start_ppp(self.lac.session, patience)

    def start_ppp(self, session, patience):
        self.kernel[session] = kernel_socket(self.host, self.lac, session)
        fd = self.kernel[session].fileno()
        self.ppp_log_start = size_of(self.host.log("pppd"))
        self.await_ppp(patience, "pppd", "pppd", "nodetach", "plugin", "pppol2tp.so", "pppol2tp", fd, "noipdefault",
                       "file", "/etc/ppp/options.lab", pass_fds=(fd,))
        self.pppds[session] = self.l2tp

    def another_session(self, session, patience=45, sequencing=False):
        """A further call in the same tunnel with a PPP link of its own; to the lab's checks it is a client."""
        self.lac.call(session, patience, sequencing)
        self.start_ppp(session, patience)
        return types.SimpleNamespace(name=f"{self.name}, session {session}", user=self.user, host=self.host,
                                     device=self.device, address=self.address)

    def end_session(self, session):
        """The call alone; its tunnel and the others stay."""
        clean = stop(self.pppds.pop(session))
        self.lac.end_call(session)
        self.kernel.pop(session).close()
        return clean

    def let_go(self):
        for pppox in self.kernel.values():
            pppox.close()
        if self.lac:
            self.lac.close()
        self.lac, self.kernel, self.pppds = None, {}, {}

    def hang_up(self):
        clean = all([stop(pppd) for pppd in self.pppds.values()])
        if self.lac:
            self.lac.hang_up()
        self.let_go()
        self.l2tp = None
        return super().hang_up() and clean

    def vanish(self):
        super().vanish()
        self.let_go()
