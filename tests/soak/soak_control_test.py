"""The soak sees what it is there to see: collectors with known mistakes."""

import unittest

from tests.soak import soak
from tests.testing import outcome_lines, programs

MUTANTS = programs.path('tests/collector/collector_with_mutants')
# Each is seen in seconds; a machine may be slow.
DEADLINE_S = 240
# What brings the mistakes to light, and little else.
DEATHS = {'kill': 10, 'exit': 5}
AMBUSHES = {**DEATHS, 'ambush': 4}
WRITER_COUNT = 24


class SoakControlTest(unittest.TestCase):
    def assert_seen(self, mutant, actions):
        print('mutant %s:' % mutant, flush=True)
        result = soak.run(DEADLINE_S, '1', writer_count=WRITER_COUNT,
                          actions=actions, collector=MUTANTS,
                          environment={'TINE_MUTANT': mutant})
        if actions is AMBUSHES and not result.may_ambush:
            self.skipTest('this process may not trace another')
        self.assertNotEqual(result.journal.violations, [])

    def test_forgotten_list_is_seen(self):
        self.assert_seen('list_forgotten', AMBUSHES)

    def test_unread_list_is_seen(self):
        self.assert_seen('list_not_read', AMBUSHES)

    def test_removal_before_the_archive_is_seen(self):
        self.assert_seen('removed_before_archive', AMBUSHES)

    def test_file_that_stays_in_the_sum_is_seen(self):
        self.assert_seen('folded_file_kept', DEATHS)

    def test_reader_of_two_times_is_seen(self):
        self.assert_seen('archive_not_read_again', DEATHS)


if __name__ == '__main__':
    outcome_lines.main()
