"""A private RabbitMQ node for one benchmark: own name, ports, data, cookie; loopback only.

Needs RabbitMQ's scripts (Debian: rabbitmq-server) and no root. The system's own broker, if there is
one, is neither used nor touched.
"""

import base64
import ctypes
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SCRIPTS = "/usr/lib/rabbitmq/bin"  # Those in /usr/sbin refuse everybody but root and rabbitmq.
PR_SET_PDEATHSIG = 1
UP_CREDIT = ("[{rabbit, [{credit_flow_default_credit, {32, 16}},"
             " {msg_store_credit_disc_bound, {128, 32}}]}].\n")
UP_SOCKETS = ["tcp_listen_options." + line for line in (
    "backlog = 1024", "sndbuf = 131072", "recbuf = 131072", "nodelay = true", "linger.on = true",
    "linger.timeout = 0", "exit_on_close = false")]


def die_with_parent():
    """For preexec_fn: the child gets SIGTERM when this process dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    """One below those that the kernel gives to outgoing connections: while the node is down, a client
    that tries to reach it could be given its port, and the node could not start again."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def free_ports(count):
    """Of which none is another."""
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def password_hash(password):
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class PrivateBroker:
    """`with PrivateBroker(vhosts=["a"], users=["u"]) as broker:` then `broker.url("u", "a")`.

    Every user may do everything on every vhost: permissions are no part of the comparison.
    `like_up`: with the bounds that `juggler up` sets on its node (src/amqp/node_limits.h), for all
    queues; else with RabbitMQ's own. `within`: a command in front of the node's programs, and `listen`
    the address that it listens on there.
    """

    def __init__(self, vhosts, users, parent="/var/tmp", start_timeout_s=60, like_up=False, *,
                 within=(), listen="127.0.0.1"):
        self.vhosts = vhosts
        self.passwords = {user: secrets.token_hex(12) for user in users}
        # /var/tmp and not /tmp: durability must cost what a disk costs, and /tmp is often memory.
        self.parent = parent if os.access(parent, os.W_OK) else None
        self.start_timeout_s = start_timeout_s
        self.like_up = like_up
        self.within = list(within)
        self.listen = listen
        self.process = None
        self.folder = None

    def __enter__(self):
        if not os.path.exists(f"{SCRIPTS}/rabbitmq-server"):
            raise SystemExit("RabbitMQ is not installed (Debian: apt install rabbitmq-server)")
        self.folder = tempfile.mkdtemp(prefix="juggler-bench-", dir=self.parent)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self, user, vhost):
        return f"amqp://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/{vhost}"

    def version(self):
        for name in sorted(os.listdir("/usr/lib/rabbitmq/lib")):
            if name.startswith("rabbitmq_server-"):
                return name.split("-", 1)[1]
        return "unknown"

    def _write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def _definitions(self):
        grants = [{"user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
                  for user in self.passwords for vhost in self.vhosts]
        users = [{"name": user, "password_hash": password_hash(password),
                  "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": []}
                 for user, password in self.passwords.items()]
        policies = [{"vhost": vhost, "name": "lazy", "pattern": ".*", "apply-to": "queues",
                     "priority": 0, "definition": {"queue-mode": "lazy"}}
                    for vhost in self.vhosts if self.like_up]
        return json.dumps({"vhosts": [{"name": vhost} for vhost in self.vhosts],
                           "users": users, "permissions": grants, "policies": policies})

    def _environment(self):
        folder = self.folder
        return {
            "HOME": f"{folder}/home", "PATH": f"{SCRIPTS}:/usr/bin:/bin", "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"juggler-bench-{os.getpid()}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/etc/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/etc/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/etc/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/rabbit.pid",
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": f"{folder}/log/erl_crash.dump", "ERL_CRASH_DUMP_BYTES": "0",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "NOTIFY_SOCKET": f"{folder}/notify.sock",
            **({"ERL_FULLSWEEP_AFTER": "0"} if self.like_up else {}),
        }

    def _start(self):
        self.port, self.epmd_port, self.dist_port = free_ports(3)
        cookie = base64.b64encode(secrets.token_bytes(24)).decode()
        self._write("home/.erlang.cookie", cookie, 0o400)
        definitions = self._write("etc/definitions.json", self._definitions())
        self._write("etc/advanced.config", UP_CREDIT if self.like_up else "[].\n")
        self._write("etc/enabled_plugins", "[].\n")
        self._write("etc/rabbitmq.conf", "\n".join([
            f"listeners.tcp.default = {self.listen}:{self.port}",
            f"load_definitions = {definitions}",
            "vm_memory_high_watermark.absolute = " + ("2400MB" if self.like_up else "1GB"),
            *(UP_SOCKETS if self.like_up else []),
            "disk_free_limit.absolute = 256MB",
            "max_message_size = 16777216",
            "consumer_timeout = 900000",
            "heartbeat = 10",
            "channel_max = 64",
            "log.console = false",
            "log.file.level = warning", ""]))
        for name in ("mnesia", "log"):
            os.makedirs(f"{self.folder}/{name}", mode=0o700)
        self.environment = self._environment()
        self.run()

    def run(self):
        """Starts the node, also again after its end: with the same port and the same messages."""
        if os.path.exists(f"{self.folder}/notify.sock"):
            os.unlink(f"{self.folder}/notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(f"{self.folder}/notify.sock")
            notified.settimeout(0.5)
            with open(f"{self.folder}/log/start.log", "wb") as log:
                # An own session, so that Ctrl-C reaches only us and the node is stopped in order.
                self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                    [*self.within, f"{SCRIPTS}/rabbitmq-server"], env=self.environment, cwd=self.folder,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=die_with_parent)
            self._await_ready(notified)

    def _await_ready(self, notified):
        end = time.monotonic() + self.start_timeout_s
        while time.monotonic() < end:
            try:
                if b"READY=1" in notified.recv(4096):
                    return
            except socket.timeout:
                pass
            if self.process.poll() is not None:
                break
        with open(f"{self.folder}/log/start.log", encoding="utf-8", errors="replace") as log:
            raise SystemExit(f"the private broker did not start; it said:\n{log.read()[-2000:]}")

    def signal(self, number):
        """To every process of the node: the script, Erlang and its helpers."""
        os.killpg(self.process.pid, number)

    def end(self):
        """Ends the node and keeps its messages."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.end()
        if self.process:  # RabbitMQ leaves its name server running.
            subprocess.run([*self.within, "epmd", "-kill"], env=self.environment, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
