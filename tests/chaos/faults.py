"""The faults of a chaos run. Each hurts one part, holds for its time and heals; what it did to
detection and recovery is read from the watcher and the outcomes afterwards."""

import signal
import time

# Cuts beyond the TCP user time-out of devices and clients (10 s), too.
LONG = {"cut": (1.0, 14.0), "hold-both": (1.0, 14.0), "freeze-broker": (1.0, 4.0), "freeze-leader": (8.0, 14.0),
        "kill-broker": (0.2, 2.0), "restart-broker": (0.2, 1.0)}


class Fault:
    """`kind target`, from `begun` to `healed` (monotonic seconds)."""

    def __init__(self, kind, target, seconds):
        self.kind = kind
        self.target = target
        self.seconds = seconds
        self.begun = None
        self.healed = None

    def __str__(self):
        return f"{self.kind} {self.target} for {self.seconds:.1f} s"


class Faults:
    """Hurts and heals the parts of a fleet (chaos.Fleet)."""

    DEVICE = ("kill", "freeze", "cut", "hold-up", "hold-down", "hold-both", "half-open", "bad-network",
              "drain")
    CONTROLLER = ("kill-leader", "freeze-leader", "cut-leader", "hold-leader", "half-open-leader",
                  "bad-network-leader", "stop-leader")
    CLIENT = ("cut-client", "hold-client", "half-open-client", "bad-network-client")
    # The HTTP server, whose client asks again.
    SERVE = ("kill-serve", "freeze-serve", "cut-serve", "hold-serve", "half-open-serve", "bad-network-serve",
             "stop-serve")
    BROKER = ("restart-broker", "kill-broker", "freeze-broker")

    def __init__(self, fleet, random):
        self.fleet = fleet
        self.random = random

    def draw(self):
        kinds = self.random.choices([self.DEVICE, self.CONTROLLER, self.BROKER, self.CLIENT, self.SERVE],
                                    [6, 3, 1.5, 1, 1])[0]
        return self.make(self.random.choice(kinds))

    def make(self, kind, seconds=None):
        low, high = LONG.get(kind, (1.0, 6.0))
        target = "broker"
        if kind in self.DEVICE:
            target = self.random.choice(sorted(self.fleet.devices))
        elif kind in self.CONTROLLER:
            target = "leader"
        elif kind in self.CLIENT:
            target = self.random.choice(self.fleet.CLIENTS)
        elif kind in self.SERVE:
            target = "serve"
        return Fault(kind, target, seconds or self.random.uniform(low, high))

    def hurt(self, fault):
        fault.target = self.fleet.leader() if fault.target == "leader" else fault.target
        fault.begun = time.monotonic()
        kind = fault.kind.removesuffix("-leader").removesuffix("-broker").removesuffix(
            "-client").removesuffix("-serve")
        part = self.fleet.broker if fault.target == "broker" else self.fleet.processes.get(fault.target)
        link = fault.target
        if kind == "kill":
            part.kill()
        elif kind == "freeze":
            part.signal(signal.SIGSTOP)
        elif kind in ("drain", "stop"):
            part.signal(signal.SIGTERM)
        elif kind == "restart":
            part.end()
        elif kind == "cut":
            self.fleet.links.say("cut", link)
        elif kind.startswith("hold"):
            way = kind.removeprefix("hold").removeprefix("-") or "both"
            self.fleet.links.say("hold", link, way)
        elif kind == "half-open":
            self.fleet.links.say("half-open", link, "client")
        elif kind == "bad-network":
            self.fleet.links.say("set", link, "both", 500, 200, 0, 30)
        else:
            raise AssertionError(kind)

    def heal(self, fault):
        if fault.target == "broker":
            if fault.kind == "freeze-broker":
                self.fleet.broker.signal(signal.SIGCONT)
            else:
                self.fleet.broker.again()
        elif fault.target in self.fleet.CLIENTS:
            self.fleet.links.heal(fault.target)
        else:
            part = self.fleet.processes[fault.target]
            self.fleet.links.heal(fault.target)
            part.signal(signal.SIGCONT)
            if fault.kind in ("drain", "stop-leader", "stop-serve"):
                part.leave(70)
            if not part.alive():
                part.start()
        fault.healed = time.monotonic()
