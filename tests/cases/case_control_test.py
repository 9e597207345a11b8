"""The cases see collectors that merge by a wrong rule."""

import concurrent.futures
import glob
import unittest

from tests.cases import case_steps
from tests.testing import mutate, outcome_lines, programs

COLLECTOR = programs.path('tests/cases/collector_with_wrong_rules')
MUTATIONS = programs.path('tests/cases/merge_mutations.txt')
RUNS_AT_ONCE = 8

# Which case sees it.
SEEN_BY = {
    'nan_is_least': 'nan',
    'sum_in_one_double': 'sum_keeps_what_a_double_loses',
    'oldest_is_most_recent': 'mostrecent_by_time',
    'tie_goes_to_the_older': 'mostrecent_tie',
    'newest_has_the_worker_label': 'the_living_has_the_worker_label',
    'live_modes_keep_the_dead': 'livesum',
    'unset_is_zero': 'unset_does_not_count',
    'buckets_by_position': 'buckets_differ',
    'bounds_of_the_last': 'two_layouts_stay_monotone',
    'empty_label_is_a_label': 'empty_label',
    'labels_as_they_come': 'label_orders',
    'clash_of_labels_not_counted': 'process_label_and_own_label',
    'oldest_opinion_wins': 'newest_wins',
    'dead_opinions_are_as_good': 'types_differ',
    'conflict_not_told': 'types_differ',
    'whole_numbers_rounded_first': 'u64_and_f64_add',
    'sums_wrap': 'sums_saturate',
    'texts_of_the_dead_stay': 'conflict_ends_with_the_deployment',
    'sample_names_meet': 'names_that_meet_samples',
}

CASES = {case.name: case for path in glob.glob('tests/cases/*.cases')
         for case in case_steps.parse(path)}


def complaint(mutant, case_name):
    """What the case says of a collector with the mistake; none: nothing."""
    with case_steps.Owner() as owner:
        case = CASES[case_name]
        bench = case_steps.Bench(owner, case.flags, COLLECTOR,
                                 {'TINE_MUTANT': mutant})
        try:
            case_steps.CaseRun(bench, case).run()
        except case_steps.Wrong as wrong:
            return str(wrong)
    return None


class CaseControlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pool = concurrent.futures.ThreadPoolExecutor(RUNS_AT_ONCE)
        cls.addClassCleanup(pool.shutdown)
        cls.complaints = {mutant: pool.submit(complaint, mutant, case_name)
                          for mutant, case_name in SEEN_BY.items()}
        cls.sound = pool.submit(complaint, '', 'nan')

    def test_every_wrong_rule_has_its_case(self):
        with open(MUTATIONS, encoding='utf-8') as file:
            mutants = {mutation[0] for mutation in mutate.parse(file.read())}
        self.assertEqual(mutants, set(SEEN_BY))

    def test_without_a_wrong_rule_nothing_is_wrong(self):
        self.assertIsNone(self.sound.result())


def _method(mutant):
    return lambda self: self.assertIsNotNone(self.complaints[mutant].result())


for _mutant in SEEN_BY:
    setattr(CaseControlTest, 'test_%s_is_seen' % _mutant, _method(_mutant))

if __name__ == '__main__':
    outcome_lines.main()
