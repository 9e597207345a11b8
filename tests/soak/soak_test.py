"""The soak for two minutes; ten times as long with TINE_TEST_EFFORT=10."""

import os
import random
import unittest

from tests.soak import report, soak
from tests.testing import outcome_lines

SECONDS = 120
# From here on, what is rare must have happened.
LONG_SECONDS = 1200


class SoakTest(unittest.TestCase):
    def test_every_answer_is_true_whatever_dies(self):
        seconds = SECONDS * int(os.environ.get('TINE_TEST_EFFORT', '1'))
        seed = os.environ.get('TINE_TEST_SEED',
                              str(random.SystemRandom().getrandbits(32)))
        print('again: --test_env=TINE_TEST_SEED=%s' % seed)
        result = soak.run(seconds, seed)
        self.assertEqual(result.journal.violations, [])
        self.assertGreater(result.journal.counts['scrapes'], 0)
        self.assertGreater(result.journal.counts['runs of --once'], 0)
        if seconds >= LONG_SECONDS:
            self.assertEqual(
                [name for name, count in report.rare(result).items() if count == 0],
                [])

    def test_a_seed_says_what_is_done(self):
        def actions(seed):
            schedule = soak.Schedule(seed, 8)
            return [(schedule.next(), schedule.next_writer(i % 8))
                    for i in range(50)]
        self.assertEqual(actions('7'), actions('7'))
        self.assertNotEqual(actions('7'), actions('8'))


if __name__ == '__main__':
    outcome_lines.main()
