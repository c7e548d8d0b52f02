#!/usr/bin/env python3
"""What `make` has set up in a checkout is found by the programs built there, without --home.

  checkout_test.py BUILD_DIR MODELS_DIR
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])


class Checkout(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-checkout-")
        self.checkout = os.path.join(self.folder.name, "checkout")
        programs = os.path.join(self.checkout, "build", "release")
        os.makedirs(programs)
        self.juggler = os.path.join(programs, "juggler")  # a copy: a link would lead back to the build
        shutil.copy(os.path.join(BUILD, "juggler"), self.juggler)
        self.user = os.path.join(self.folder.name, "user")
        os.makedirs(self.user)

    def tearDown(self):
        self.folder.cleanup()

    def run_juggler(self, *arguments, **variables):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("JUGGLER_", "XDG_"))}
        environment.update(HOME=self.user, COLUMNS="400", **variables)
        return subprocess.run([self.juggler, *arguments], cwd=self.user, env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                              check=False)

    def models(self, *arguments, **variables):
        """What `juggler doctor` says of the models."""
        done = self.run_juggler("doctor", "--json", *arguments, **variables)
        return next(one for one in json.loads(done.stdout)["findings"] if one["what"] == "models")

    def set_up(self):
        os.makedirs(os.path.join(self.checkout, "var"))
        os.symlink(MODELS, os.path.join(self.checkout, "var", "models"))

    def test_models_of_the_checkout_are_found(self):
        self.set_up()
        found = self.models()
        self.assertNotEqual(found["state"], "MISSING", found)
        self.assertIn(os.path.join(self.checkout, "var", "models"), found["found"])
        listed = self.run_juggler("models")  # without a controller: the catalogue's
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("efficientnet_lite0", listed.stdout)
        refused = self.run_juggler("up", "--variants", "no-such-net")  # by the catalogue: nothing starts
        self.assertIn("the catalogue has no model", refused.stderr)

    def test_a_home_that_is_named_wins(self):
        self.set_up()
        elsewhere = os.path.join(self.folder.name, "elsewhere")
        self.assertIn(elsewhere, self.models("--home", elsewhere)["found"])
        self.assertIn(elsewhere, self.models(JUGGLER_HOME=elsewhere)["found"])

    def test_without_profiles_it_says_where_it_looked_and_what_to_do(self):
        if os.path.exists("/usr/share/juggler/profiles"):
            self.skipTest("this machine has an installed Juggler")
        self.set_up()
        done = self.run_juggler("up", "--twin", "jetson-nano")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("no profile of a board 'jetson-nano' because there is no folder 'profiles'", done.stderr)
        self.assertIn(os.path.join(self.checkout, "var"), done.stderr)
        self.assertIn("Set $JUGGLER_PROFILES", done.stderr)

    def test_without_models_it_says_where_they_belong(self):
        os.makedirs(os.path.join(self.checkout, "var"))
        found = self.models()
        self.assertEqual(found["state"], "MISSING")
        self.assertIn(os.path.join(self.user, ".local/share/juggler"), found["found"])
        self.assertIn("var", found["remedy"])
        done = self.run_juggler("up", "--no-local", "--twin", "jetson-nano",
                                JUGGLER_PROFILES=os.path.join(os.path.dirname(__file__), "../../profiles"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("`make models` in a checkout puts them into its var", done.stderr)
        self.assertIn("--home DIR", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
