"""Every case of *.cases, over real processes."""

import concurrent.futures
import glob
import sys
import unittest

from tests.cases import case_steps
from tests.testing import outcome_lines, programs

# Most of what a case does is wait for the fold. A sanitizer's processes are
# large.
CASES_AT_ONCE = 8 if programs.is_sanitized(case_steps.WRITER) else 64

CASES = [case for path in sorted(glob.glob('tests/cases/*.cases'))
         for case in case_steps.parse(path)]


def run_case(shared_bench, case):
    with case_steps.Owner() as owner:
        bench = shared_bench
        if case.is_alone:
            bench = case_steps.Bench(owner, case.flags)
        case_steps.CaseRun(bench, case).run()


class CaseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        owner = case_steps.Owner()
        cls.addClassCleanup(owner.close)
        bench = case_steps.Bench(owner)
        pool = concurrent.futures.ThreadPoolExecutor(CASES_AT_ONCE)
        owner.addCleanup(pool.shutdown)
        wanted = ' '.join(sys.argv[1:])
        cls.runs = {case.name: pool.submit(run_case, bench, case)
                    for case in CASES
                    if not wanted or 'test_' + case.name in wanted}


def _method(name):
    return lambda self: self.runs[name].result()


for _case in CASES:
    assert not hasattr(CaseTest, 'test_' + _case.name), _case.name
    setattr(CaseTest, 'test_' + _case.name, _method(_case.name))

if __name__ == '__main__':
    outcome_lines.main()
