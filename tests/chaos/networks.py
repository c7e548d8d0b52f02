"""Bad networks between the parts of a chaos run, by the program fault_proxy (src/faults): through a TCP proxy, or on
packets, between two network namespaces."""

import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))

from broker import die_with_parent  # noqa: E402  pylint: disable=wrong-import-position


class Links:
    """A link for each part that is to have a bad network: a port of the proxy."""

    within = ()           # a command in front of the broker's programs
    listen = "127.0.0.1"  # where the broker listens

    def __init__(self, program):
        self.lock = threading.Lock()
        self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)

    def say(self, *words):
        with self.lock:
            self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().split(None, 1)
        if not answer or answer[0] != "ok":
            raise SystemExit(f"fault_proxy, asked for '{words}': {' '.join(answer)}")
        return answer[1].strip() if len(answer) > 1 else ""

    def address(self, name, broker):
        """A link for the part `name`: a function from a user to the broker's address by it."""
        port = self.say("link", name, "127.0.0.1", broker.port)
        return lambda user: broker.url(user, "juggler").replace(f":{broker.port}/", f":{port}/")

    def heal(self, name):
        self.say("set", name, "both", 0, 0, 0, 0)
        self.say("heal", name)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class PacketLinks(Links):
    """The broker in a network namespace of its own, and to each part an interface of its own. Call own_network() first."""

    listen = "0.0.0.0"

    def __init__(self, program):
        super().__init__(program)
        self.count = 0
        self.holder = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
            ["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        self.within = ["nsenter", "--target", str(self.holder.pid), "--net"]
        while self.namespace(self.holder.pid) == self.namespace("self"):
            time.sleep(0.01)
        self.run(*self.within, "ip", "link", "set", "lo", "up")

    @staticmethod
    def namespace(process):
        return os.readlink(f"/proc/{process}/ns/net")

    @staticmethod
    def run(*command):
        subprocess.run(command, check=True)

    def address(self, name, broker):
        self.count += 1
        client, server = f"client{self.count}", f"server{self.count}"
        self.say("packets", name, client, server)
        self.run("ip", "link", "set", server, "netns", str(self.holder.pid))
        for within, interface, last in (([], client, 1), (self.within, server, 2)):
            self.run(*within, "ip", "address", "add", f"10.77.{self.count}.{last}/30", "dev", interface)
            self.run(*within, "ip", "link", "set", interface, "up")
        there = f"@10.77.{self.count}.2:"
        return lambda user: broker.url(user, "juggler").replace("@127.0.0.1:", there)

    def close(self):
        super().close()
        self.holder.kill()
        self.holder.wait()


NO_PACKETS = 77  # exit status, which ctest reads as skipped


def own_network():
    """Starts this program anew in a network namespace of its own, where its interfaces are in nobody's way. Where
    that cannot be, ends it with the status NO_PACKETS."""
    mark = "JUGGLER_CHAOS_NETWORK"
    if os.environ.get(mark) == "own":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net"]
    tried = subprocess.run([*unshare, "ip", "tuntap", "add", "try", "mode", "tun"], capture_output=True,
                           text=True, check=False)
    if tried.returncode != 0:
        print(f"no network of packets here: {tried.stderr.strip()} (needs the programs of util-linux and iproute2,"
              " /dev/net/tun, and root or user namespaces; without --packets a TCP proxy does)", file=sys.stderr)
        sys.exit(NO_PACKETS)
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], {**os.environ, mark: "own"})
