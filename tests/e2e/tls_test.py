#!/usr/bin/env python3
"""TLS to a real RabbitMQ: controller, device and submitters with an authority, with a pinned
certificate and with certificates of their own, and what is said where it goes wrong."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

from plain_broker import PlainBroker, free_port

BUILD = os.path.abspath(sys.argv[1])
JUGGLER = os.path.join(BUILD, "juggler")
CONSUMER = os.path.join(BUILD, "juggler-consumer")


class Authority:
    """Makes certificates with the openssl program."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", self.path(name, "key"), "-out", self.path(name, "pem"), "-subj", f"/CN={name}",
                      "-days", "2")

    def path(self, name, kind):
        return os.path.join(self.folder, f"{name}.{kind}")

    def certificate(self, name, subject, names="", days=2):
        """Returns the paths of the certificate and its key."""
        extra = ["-addext", f"subjectAltName={names}"] if names else []
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                      self.path(name, "key"), "-out", self.path(name, "csr"), "-subj", f"/CN={subject}", *extra)
        self._openssl("x509", "-req", "-in", self.path(name, "csr"), "-CA", self.path(self.name, "pem"),
                      "-CAkey", self.path(self.name, "key"), "-CAcreateserial", "-days", str(days),
                      "-copy_extensions", "copy", "-out", self.path(name, "pem"))
        return self.path(name, "pem"), self.path(name, "key")

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def fingerprint(certificate):
    done = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
                          capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip().split("=")[1]  # with colons and capitals, as people see it


def erlang(options):
    return ",".join("{%s,%s}" % (key, value if value in ("true", "false", "verify_peer", "verify_none")
                                 else f'"{value}"') for key, value in options.items())


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-tls-")
        cls.ours = Authority(cls.folder.name, "ours")
        cls.others = Authority(cls.folder.name, "others")
        cls.authority = cls.ours.path("ours", "pem")
        certificate, key = cls.ours.certificate("broker", "broker", "IP:127.0.0.1,DNS:broker.test")
        cls.pin = fingerprint(certificate)
        cls.tls_port = free_port()
        options = {"cacertfile": cls.authority, "certfile": certificate, "keyfile": key,
                   "verify": "verify_peer", "fail_if_no_peer_cert": "false"}
        old, old_key = cls.ours.certificate("old", "old", "IP:127.0.0.1,DNS:old.test", days=-1)
        hosts = {"old.test": {**options, "certfile": old, "keyfile": old_key},
                 "strict.test": {**options, "fail_if_no_peer_cert": "true"}}
        sni = ",".join('{"%s",[%s]}' % (name, erlang(of)) for name, of in hosts.items())
        cls.broker = PlainBroker(
            [f"listeners.ssl.default = 127.0.0.1:{cls.tls_port}", "auth_mechanisms.1 = PLAIN",
             "auth_mechanisms.2 = EXTERNAL", "ssl_cert_login_from = common_name"],
            ["rabbitmq_auth_mechanism_ssl"],
            "[{rabbit,[{ssl_options,[%s,{sni_hosts,[%s]}]}]}].\n" % (erlang(options), sni)).__enter__()
        done = subprocess.run([JUGGLER, "broker", "provision", "--address", f"amqps://127.0.0.1:{cls.tls_port}",
                               "--device", "edge01", "--out", cls.folder.name, "--rabbitmqctl",
                               cls.broker.rabbitmqctl], capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__()
        cls.folder.cleanup()

    def address(self, user, query, port=None, scheme="amqps"):
        """A file with the login of `user`, changed so."""
        with open(os.path.join(self.folder.name, "credentials", user), encoding="utf-8") as file:
            login = file.read().strip().split("@")[0].split("://")[1]
        path = os.path.join(self.folder.name, "address")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{scheme}://{login}@127.0.0.1:{port or self.tls_port}/juggler{query}\n")
        return path

    def own(self, name):
        """The query that logs in by the certificate of that name."""
        return f"certfile={self.ours.path(name, 'pem')}&keyfile={self.ours.path(name, 'key')}"

    def said(self, query, user="submitter", **where):
        """What a command says that reaches a broker without a controller, or does not reach it."""
        done = subprocess.run([JUGGLER, "status", "--broker-file", self.address(user, query, **where)],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 3, done.stdout)
        return done.stderr

    def reached(self, query, **where):
        self.assertIn("controller", self.said(query, **where))
        self.assertNotIn("no connection", self.said(query, **where))

    def test_an_authority_or_a_pin_is_enough(self):
        self.reached(f"?cacertfile={self.authority}")
        self.reached(f"?cacertfile={self.authority}&server_name_indication=broker.test")
        self.reached(f"?fingerprint=sha256:{self.pin.lower().replace(':', '')}")
        self.reached(f"?fingerprint={self.pin}")
        self.reached("?verify=verify_none")

    def test_what_is_refused_and_what_is_said(self):
        ca = f"?cacertfile={self.authority}"
        wrong_pin = "0" * 63 + "1"
        for query, words in [
                ("", ["no authority that is trusted here", "cacertfile", self.pin.lower().replace(":", "")]),
                (f"?cacertfile={self.others.path('others', 'pem')}", ["no authority that is trusted here"]),
                (ca + "&server_name_indication=other.test", ["127.0.0.1", "broker.test", "'other.test'"]),
                (ca + "&server_name_indication=old.test", ["ended on", "clock"]),
                (f"?fingerprint=sha256:{wrong_pin}", [wrong_pin, "somebody stands in between"]),
                ("?cacertfile=/no/such/file", ["/no/such/file"]),
                (ca + "&certfile=/no/such/file&keyfile=/no/key", ["/no/such/file", "/no/key"])]:
            with self.subTest(query):
                said = self.said(query)
                for word in words:
                    self.assertIn(word, said)

    def test_a_pin_counts_whatever_the_dates_say(self):
        old = fingerprint(self.ours.path("old", "pem"))
        self.reached(f"?fingerprint={old}&server_name_indication=old.test")

    def test_the_wrong_port_is_named(self):
        self.assertIn("no TLS on this port", self.said("?verify=verify_none", port=self.broker.port))
        self.assertIn("amqps://", self.said("", scheme="amqp"))

    def test_a_broker_that_wants_a_clients_certificate(self):
        pin = f"?fingerprint={self.pin}&server_name_indication=strict.test"
        self.assertIn("certfile", self.said(pin))
        self.ours.certificate("client", "submitter")
        self.reached(f"{pin}&{self.own('client')}")
        certificate, key = self.others.certificate("stranger", "submitter")
        self.assertIn("does not trust this client", self.said(f"{pin}&certfile={certificate}&keyfile={key}"))

    def test_a_login_by_certificate(self):
        pin = f"?fingerprint={self.pin}"
        self.ours.certificate("by-name", "submitter")
        with open(self.address("submitter", f"{pin}&auth_mechanism=external&{self.own('by-name')}"),
                  encoding="utf-8") as file:
            address = file.read()
        path = os.path.join(self.folder.name, "external")
        password = address.split(":")[2].split("@")[0]
        for name, reached in (("by-name", True), ("nobody", False)):
            if not reached:
                self.ours.certificate("nobody", "nobody")
            with open(path, "w", encoding="utf-8") as file:
                file.write(address.replace(f":{password}@", "@").replace("by-name", name))
            done = subprocess.run([JUGGLER, "status", "--broker-file", path], capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 3)
            self.assertIn("no controller" if reached else "ACCESS_REFUSED", done.stderr)

    def test_a_fleet_over_tls(self):
        for name in ("controller", "edge01"):
            self.ours.certificate(name, name)
        pin = f"?fingerprint={self.pin}"
        external = pin + "&auth_mechanism=external&"
        environment = {**os.environ, "XDG_STATE_HOME": self.folder.name, "JUGGLER_HOME": self.folder.name}
        programs = []
        try:
            for command, user in (([JUGGLER, "controller"], "controller"),
                                  ([CONSUMER, "--engine", "noop", "--id", "edge01"], "edge01")):
                with open(self.address(user, external + self.own(user)), encoding="utf-8") as file:
                    environment["JUGGLER_BROKER"] = file.readline().strip()
                programs.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
            end, live = time.monotonic() + 60, []
            while not live:
                self.assertLess(time.monotonic(), end)
                done = subprocess.run([JUGGLER, "devices", "--json", "--broker-file", self.address("submitter", pin)],
                                      capture_output=True, text=True, timeout=60, check=False)
                devices = json.loads(done.stdout)["devices"] if done.returncode == 0 else []
                live = [one["id"] for one in devices if one["state"] == "live"]
                time.sleep(0.2)
            self.assertEqual(live, ["edge01"])
        finally:
            for program in programs:
                program.terminate()
                program.wait(80)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
