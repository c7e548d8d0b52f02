"""A RabbitMQ node that knows nothing of Juggler, as an administrator has one: for what `juggler broker
provision` and its kin do to a broker of somebody's own. Loopback only, in a temporary folder."""

import base64
import ctypes
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

SCRIPTS = "/usr/lib/rabbitmq/bin"  # those in /usr/sbin refuse everybody but root and rabbitmq
PR_SET_PDEATHSIG = 1


DRAWN = set()


def free_port():
    """One that this program has not had before: it may not be listened on yet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in DRAWN:
            DRAWN.add(port)
            return port


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class PlainBroker:
    """`rabbitmqctl` is the command that administers it. `configuration`: lines for rabbitmq.conf;
    `advanced`: the whole advanced.config."""

    def __init__(self, configuration=(), plugins=(), advanced="[].\n"):
        self.configuration, self.plugins, self.advanced = configuration, plugins, advanced
        self.process = self.mapper = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="juggler-plain-")
        self.port, self.epmd_port = free_port(), free_port()
        for name in ("home", "etc", "log", "mnesia"):
            os.mkdir(os.path.join(self.folder, name), 0o700)
        self._write("home/.erlang.cookie", base64.b64encode(secrets.token_bytes(24)).decode(), 0o400)
        self._write("etc/advanced.config", self.advanced)
        self._write("etc/enabled_plugins", f"[{','.join(self.plugins)}].\n")
        self._write("etc/rabbitmq.conf", "\n".join([
            f"listeners.tcp.default = 127.0.0.1:{self.port}",
            "vm_memory_high_watermark.absolute = 512MB", "disk_free_limit.absolute = 64MB",
            "max_message_size = 16777216", "log.console = false", "log.file.level = warning",
            *self.configuration, ""]))
        self.environment = {
            "HOME": f"{self.folder}/home", "PATH": f"{SCRIPTS}:/usr/bin:/bin", "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"plain-{os.getpid()}@localhost", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/etc/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{self.folder}/etc/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/etc/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia", "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_PID_FILE": f"{self.folder}/rabbit.pid", "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        # What an administrator would call; here it has to say which node.
        self.rabbitmqctl = self._write("rabbitmqctl", "#!/bin/sh\nexec env -i " + " ".join(
            f"'{key}={value}'" for key, value in self.environment.items()) +
            f" {SCRIPTS}/rabbitmqctl \"$@\"\n", 0o700)
        with open(f"{self.folder}/log/start", "wb") as log:
            options = {"env": self.environment, "stdin": subprocess.DEVNULL, "stdout": log,
                       "stderr": log, "preexec_fn": die_with_parent}
            self.mapper = subprocess.Popen(["/usr/bin/epmd", "-port", str(self.epmd_port)], **options)
            notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            notify.bind(f"{self.folder}/notify")
            notify.settimeout(90)
            options["env"] = {**self.environment, "NOTIFY_SOCKET": f"{self.folder}/notify"}
            self.process = subprocess.Popen([f"{SCRIPTS}/rabbitmq-server"], **options)
        try:
            with notify:
                while b"READY=1" not in notify.recv(4096):
                    pass
        except TimeoutError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self.process, self.mapper):
            if process is not None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
        for _attempt in range(20):  # Erlang is still writing its last words
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                return
            time.sleep(0.1)

    def _write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def control(self, *arguments, stdin=None):
        done = subprocess.run([self.rabbitmqctl, *arguments], input=stdin, capture_output=True,
                              text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)
