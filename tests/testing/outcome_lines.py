"""Runs a module's unittest cases and prints one outcome line for each.

`PASSED: name`, `FAILED: name` and `SKIPPED: name: reason` are what
tools/count_tests.py counts. Details of failures go before their line.
"""

import sys
import traceback
import unittest


class _OutcomeLines(unittest.TestResult):
    def _name(self, test):
        return '.'.join(test.id().split('.')[-2:])

    def _print(self, outcome, test, reason=''):
        print('%s: %s%s' % (outcome, self._name(test),
                            ': ' + reason if reason else ''), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._print('PASSED', test)

    def _add_failure(self, test, error):
        traceback.print_exception(*error, file=sys.stdout)
        self._print('FAILED', test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._add_failure(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._add_failure(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            print(subtest)
            self._add_failure(test, error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._print('SKIPPED', test, reason)


def main():
    """Runs the cases of __main__, or those named on the command line."""
    loader = unittest.TestLoader()
    module = sys.modules['__main__']
    if len(sys.argv) > 1:
        suite = loader.loadTestsFromNames(sys.argv[1:], module)
    else:
        suite = loader.loadTestsFromModule(module)
    result = _OutcomeLines()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
