"""A client whose L2TP is Windows' (lac.py), over strongSwan's IPsec, with the kernel's L2TP and pppd."""

from client import Client, size_of
from lac import WindowsLac, kernel_session
from netns import stop


class WindowsClient(Client):
    def __init__(self, host, **options):
        super().__init__(host, **options)
        self.lac = None
        self.kernel = []

    def start_l2tp(self, patience=45):
        self.ppp_log_start = size_of(self.host.log("pppd"))
        self.lac = WindowsLac(self.host, self.remote)
        self.lac.dial(patience)
        self.kernel = kernel_session(self.host, self.lac)
        session = self.kernel[-1].fileno()
        self.await_ppp(patience, "pppd", "pppd", "nodetach", "plugin", "pppol2tp.so", "pppol2tp", session, "noipdefault",
                       "file", "/etc/ppp/options.lab", pass_fds=(session,))

    def let_go(self):
        for pppox in self.kernel:
            pppox.close()
        if self.lac:
            self.lac.close()
        self.lac, self.kernel = None, []

    def hang_up(self):
        clean = stop(self.l2tp)
        if self.lac:
            self.lac.hang_up()
        self.let_go()
        self.l2tp = None
        return super().hang_up() and clean

    def vanish(self):
        super().vanish()
        self.let_go()
