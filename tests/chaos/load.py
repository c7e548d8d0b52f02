"""The load of a chaos run: who submits, who collects, and who watches the fleet. Each on a thread
and a connection of its own, which come back after every fault, as any client's would."""

import json
import random
import threading
import time
import uuid

import pika

QUEUE = "chaos.replies"  # durable: an outcome must outlive the broker as a task does
# ValueError: pika, where a proxy has taken the connection and the broker behind it has not.
ERRORS = (pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError, OSError, AssertionError, ValueError)


def connect(url):
    """To a broker, or to the first of several nodes that answers."""
    choices = []
    for address in [url] if isinstance(url, str) else url:
        parameters = pika.URLParameters(address)
        parameters.heartbeat = 4
        parameters.socket_timeout = 4
        parameters.blocked_connection_timeout = 20
        if not isinstance(url, str):
            parameters.stack_timeout = 3  # a node that hangs takes the connection, and says no more
        choices.append(parameters)
    return pika.BlockingConnection(choices)


class Worker(threading.Thread):
    """Connects, works, and begins again when the connection is lost."""

    queue_arguments = None  # of the queue of outcomes: a quorum queue on a cluster

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.stopping = threading.Event()
        self.problem = None
        self.losses = []  # of the connection, and why

    def run(self):
        while not self.stopping.is_set():
            connection = None
            try:
                connection = connect(self.url)
                self.work(connection)
            except ERRORS as problem:
                self.losses.append(f"{type(problem).__name__} {problem}")
                time.sleep(0.1)
            except Exception as problem:  # pylint: disable=broad-exception-caught
                self.problem = problem  # a mistake of the harness: said at the end, and a failure
                return
            finally:
                if connection is not None and connection.is_open:
                    try:
                        connection.close()
                    except ERRORS:
                        pass

    def work(self, connection):
        raise NotImplementedError

    def stop(self):
        self.stopping.set()
        self.join(30)


class Submitter(Worker):
    """Submits at a rate. A task whose confirm did not come is submitted again under its id."""

    content_type = "image/jpeg"

    def __init__(self, url, rate_hz, payload, seed):
        super().__init__(url)
        self.rate_hz = rate_hz
        self.payload = payload
        self.random = random.Random(seed)
        self.accepted = {}  # id -> (when it was confirmed, deadline in s)
        self.refused = 0
        self.pending = None

    def next_task(self):
        kind = self.random.random()
        headers = {"deadline_ms": 400 if kind < 0.1 else 4000 if kind < 0.6 else 30000}
        if self.random.random() < 0.2:
            headers["min_accuracy"] = 74
        if self.random.random() < 0.02:
            headers["min_accuracy"] = 99  # nobody can: rejected
        return str(uuid.UUID(int=self.random.getrandbits(128))), headers

    def priority(self):
        return self.random.randrange(10)

    def work(self, connection):
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(QUEUE, durable=True, arguments=self.queue_arguments)
        due = time.monotonic()
        while not self.stopping.is_set() or self.pending:
            task, headers = self.pending = self.pending or self.next_task()
            properties = pika.BasicProperties(
                content_type=self.content_type, message_id=task, delivery_mode=2, reply_to=QUEUE,
                user_id="submitter", headers=headers, priority=self.priority())
            try:
                channel.basic_publish("juggler.submit", "juggler.tasks", self.payload, properties,
                                      mandatory=True)
                self.accepted[task] = (time.monotonic(), headers["deadline_ms"] / 1000)
                if self.random.random() < 0.01:  # somebody submits twice
                    channel.basic_publish("juggler.submit", "juggler.tasks", self.payload,
                                          properties, mandatory=True)
            except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
                self.refused += 1  # said plainly: it was never accepted
            self.pending = None
            due = max(due + self.random.expovariate(self.rate_hz), time.monotonic() - 0.5)
            if due > time.monotonic():
                connection.sleep(due - time.monotonic())


class Collector(Worker):
    """Takes outcomes, and holds each against an earlier one of the same task."""

    def __init__(self, url):
        super().__init__(url)
        self.outcomes = {}  # id -> (when, outcome)
        self.copies = 0     # the same outcome again
        self.different = []  # another outcome: a promise was broken

    def work(self, connection):
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True, arguments=self.queue_arguments)
        channel.basic_qos(prefetch_count=200)
        for method, _properties, body in channel.consume(QUEUE, inactivity_timeout=0.1):
            if self.stopping.is_set():
                return
            if method is None:
                continue
            self.take(json.loads(body))
            channel.basic_ack(method.delivery_tag)

    def take(self, outcome):
        before = self.outcomes.get(outcome["id"])
        if before is None:
            self.outcomes[outcome["id"]] = (time.monotonic(), outcome)
        elif self.said(before[1]) == self.said(outcome):
            self.copies += 1
        else:
            self.different.append((before[1], outcome))

    @staticmethod
    def said(outcome):
        return [outcome.get(field) for field in ("outcome", "device", "processor", "variant", "labels")]


class Watcher(Worker):
    """Asks the leading controller again and again: who is there, and who leads."""

    def __init__(self, url):
        super().__init__(url)
        self.states = {}   # device -> state
        self.changes = []  # (when, device, state)
        self.leads = []    # (when an epoch was first answered, epoch)
        self.status = {}
        self.answered = None

    def work(self, connection):
        channel = connection.channel()
        channel.confirm_delivery()
        replies = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_consume(replies, self.take, auto_ack=True)
        while not self.stopping.is_set():
            for query in ("devices", "status"):
                self.answered = None
                try:
                    channel.basic_publish(
                        "juggler.submit", "juggler.queries", json.dumps({"query": query}),
                        pika.BasicProperties(type="juggler.query.v1", reply_to=replies,
                                             correlation_id=query), mandatory=True)
                except pika.exceptions.UnroutableError:
                    connection.sleep(0.02)  # nobody leads
                    continue
                end = time.monotonic() + 0.5
                while self.answered != query and time.monotonic() < end:
                    connection.process_data_events(0.05)
            connection.sleep(0.02)

    def take(self, _channel, _method, properties, body):
        now = time.monotonic()
        answer = json.loads(body)
        self.answered = properties.correlation_id
        if properties.correlation_id == "devices":
            for device in answer["devices"]:
                if self.states.get(device["id"]) != device["state"]:
                    self.states[device["id"]] = device["state"]
                    self.changes.append((now, device["id"], device["state"]))
        else:
            self.status = answer
            if not self.leads or self.leads[-1][1] != answer["epoch"]:
                self.leads.append((now, answer["epoch"]))

    def live(self):
        return sorted(device for device, state in self.states.items() if state == "live")

    def detected(self, device, since, until, states):
        """How long after `since` it was first known to be in one of these states."""
        for when, who, state in list(self.changes):
            if who == device and since <= when <= until and state in states:
                return when - since
        return None

    def led(self, since, until):
        for when, _epoch in list(self.leads):
            if since <= when <= until:
                return when - since
        return None
