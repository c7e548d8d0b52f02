"""Three RabbitMQ nodes that are one cluster, as an administrator has them: each with a port and data of
its own, behind one port mapper, on the loopback, in a temporary folder."""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from plain_broker import SCRIPTS, die_with_parent, free_port

START_MAX_S = 120


class Node:
    """One of the nodes. `kill` is a machine that loses its power, `start` its return."""

    def __init__(self, cluster, number):
        self.name = f"node{number}-{os.getpid()}@localhost"
        self.folder = os.path.join(cluster.folder, f"node{number}")
        self.port, self.distribution_port = free_port(), free_port()
        self.process = self.notify = None
        for name in ("log", "mnesia"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700)

    def write_configuration(self, cluster):
        names = [f"cluster_formation.classic_config.nodes.{i + 1} = {node.name}"
                 for i, node in enumerate(cluster.nodes)]
        cluster.write(os.path.join(self.folder, "rabbitmq.conf"), "\n".join([
            f"listeners.tcp.default = 127.0.0.1:{self.port}",
            "cluster_formation.peer_discovery_backend = classic_config", *names,
            "cluster_partition_handling = pause_minority",
            "vm_memory_high_watermark.absolute = 512MB", "disk_free_limit.absolute = 64MB",
            "max_message_size = 16777216", "log.console = false", "log.file.level = warning", ""]))
        # How long a node that says nothing counts as one of the cluster: a minute otherwise.
        cluster.write(os.path.join(self.folder, "advanced.config"), "[{kernel, [{net_ticktime, 8}]}].\n")
        cluster.write(os.path.join(self.folder, "enabled_plugins"), "[].\n")
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        self.environment = {
            "HOME": cluster.folder, "PATH": f"{SCRIPTS}:/usr/bin:/bin", "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": self.name, "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{self.folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia", "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_PID_FILE": f"{self.folder}/rabbit.pid",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "ERL_EPMD_PORT": str(cluster.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback, "RABBITMQ_CTL_ERL_ARGS": loopback,
        }

    def begin(self):
        path = f"{self.folder}/notify"
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        with open(f"{self.folder}/log/start", "ab") as log:
            # A session of its own: Erlang's helpers are killed and frozen with it.
            self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                [f"{SCRIPTS}/rabbitmq-server"], env={**self.environment, "NOTIFY_SOCKET": path},
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent)

    def await_ready(self):
        end = time.monotonic() + START_MAX_S
        with self.notify:
            self.notify.settimeout(0.5)
            while time.monotonic() < end and self.process.poll() is None:
                try:
                    if b"READY=1" in self.notify.recv(4096):
                        return
                except TimeoutError:
                    pass
        with open(f"{self.folder}/log/start", encoding="utf-8", errors="replace") as log:
            raise AssertionError(f"{self.name} did not start: {log.read()[-2000:]}")

    def start(self):
        self.begin()
        self.await_ready()

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


class BrokerCluster:
    """`nodes`; `rabbitmqctl` is the command that administers the first one."""

    def __init__(self, count=3):
        self.count = count
        self.nodes = []
        self.mapper = None

    def write(self, path, text, mode=0o600):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="juggler-cluster-", dir=os.environ.get("TMPDIR"))
        self.epmd_port = free_port()
        self.write(f"{self.folder}/.erlang.cookie", base64.b64encode(secrets.token_bytes(24)).decode(), 0o400)
        try:
            self.nodes += [Node(self, i + 1) for i in range(self.count)]
            for node in self.nodes:
                node.write_configuration(self)
            self.mapper = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                ["/usr/bin/epmd", "-port", str(self.epmd_port)], env=self.nodes[0].environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                preexec_fn=die_with_parent)
            self.nodes[0].start()  # the others find it there
            for node in self.nodes[1:]:
                node.start()
            members = json.loads(self.control("cluster_status", "--formatter", "json"))["running_nodes"]
            assert sorted(members) == sorted(node.name for node in self.nodes), members
        except BaseException:
            self.__exit__()
            raise
        self.rabbitmqctl = self.write(
            f"{self.folder}/rabbitmqctl", "#!/bin/sh\nexec env -i " + " ".join(
                f"'{key}={value}'" for key, value in self.nodes[0].environment.items()) +
            f" {SCRIPTS}/rabbitmqctl \"$@\"\n", 0o700)
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.end()
        if self.mapper is not None:
            self.mapper.terminate()
            self.mapper.wait()
        for _attempt in range(20):  # Erlang is still writing its last words
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                return
            time.sleep(0.1)

    def control(self, *arguments, node=None):
        environment = (node or self.nodes[0]).environment
        done = subprocess.run([f"{SCRIPTS}/rabbitmqctl", "--quiet", *arguments], env=environment,
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def addresses(self, login="", vhost="juggler"):
        """As programs take them: of all nodes, in this order."""
        return [f"amqp://{login}{'@' if login else ''}127.0.0.1:{node.port}/{vhost}" for node in self.nodes]

    def node_named(self, name):
        return next(node for node in self.nodes if node.name == name)
