"""The control of the tests with odd hosts: each sees the mistake it is there for.

The tests are built again with the mistakes of host_mutations.txt. With one in
force the test named here must fail; with none it must pass.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import unittest

from tests.testing import outcome_lines
from tests.testing import programs

TIMEOUT_S = 120
ATTEMPTS = 8

# mutant: (program, tests of it)
CONTROLS = {
    'life_lock_is_inherited':
        ('life_lock_test', '*IsNotInheritedByChildrenThatOutliveTheWriter'),
    'life_lock_is_posix':
        ('daemon_test', '*DaemonisingBeforeTheFirstMetric*/Closefrom'),
    'life_lock_is_a_descriptor':
        ('daemon_test', '*ClosingAllDescriptorsWhileThreadsCount*/CloseRange'),
    'descriptor_reaches_new_image':
        ('odd_fork_test', '*ExecOfItselfLeavesADeadFile*'),
    'fork_is_noticed_by_handler_alone':
        ('odd_fork_test', '*Clone3ChildrenCountInTheirOwnFiles'),
    'parent_data_is_unmapped':
        ('odd_fork_test', '*ChildThatReturnsIntoAnInterruptedAddLives'),
    'cancellation_stays_on':
        ('cancel_test', '*OneWhileAThreadMakesItsProcesssFile*'),
    'raw_fork_keeps_slots':
        ('odd_fork_test', '*ThreadOfARawChildDoesNotShare*'),
    'slots_are_not_given_back':
        ('cancel_test', '*OneDuringAddsLosesNoneAndNoSlot'),
    'slow_path_allocates':
        ('no_malloc_test', '*CountingAndLookingUpDoNotCallIt'),
    'slow_path_takes_much_stack':
        ('small_stack_test', '*HandlersThatCountFirst*'),
    'sealed_shield_makes_calls':
        ('seal_test', '*ThreadsOldAndNewMakeNoSystemCall'),
    'private_blocks_outlive_shutdown':
        ('shutdown_test', '*ThreadsThatCountCountNoMore'),
    'lock_is_given_after_shutdown':
        ('shutdown_test', '*ThreadsThatRegisterLeaveASoundFile'),
    'child_of_the_shut_down_keeps_its_data':
        ('shutdown_test', '*ChildrenCountNothingAndLetGoOfTheFile'),
    'children_are_not_told_of':
        ('daemon_test', '*WorkerThatDropsFirstIsACountedNoOpIn0700'),
    'growth_needs_the_path':
        ('daemon_test', '*WorkerThatChrootsAndDropsAfterAfterForkCounts'),
    'cells_written_without_the_lock':
        ('written_store_test', '*NeverTakeTheFileBack'),
    'child_keeps_the_descriptor':
        ('written_store_test', '*ChildrenHaveFilesAndLocksOfTheirOwn'),
    'strangers_file_written':
        ('written_store_test', '*NumberThatIsAnotherFilesNowIsLeftAlone'),
    'strangers_file_closed':
        ('written_store_test', '*NumberThatIsAnotherFilesNowIsLeftAlone'),
    'size_signal_of_a_write_not_taken':
        ('written_store_test', '*FileSizeLimitRaisesNoSignal*'),
    'failed_writes_not_caught_up_with':
        ('written_store_test', '*FileSizeLimitRaisesNoSignal*'),
    'failed_publication_leaves_its_families':
        ('written_store_test', '*PublicationThatFailsIsMadeAgain'),
    'used_written_before_records':
        ('written_store_test', '*KilledAtEachSystemCall*'),
    'cell_not_written':
        ('written_store_test', '*KilledAtEachSystemCall*'),
    'mapping_is_dumped':
        ('daemon_test', '*DumpedProcessLeavesItsFileAsSmallAsItWas'),
}


def run(program, tests, mutant=None):
    """Runs these tests; their exit code and what they printed."""
    environment = dict(os.environ)
    # What is meant for this test, and not for those that it runs.
    for name in ('TESTBRIDGE_TEST_ONLY', 'XML_OUTPUT_FILE', 'TEST_TOTAL_SHARDS'):
        environment.pop(name, None)
    if mutant:
        environment['TINE_MUTANT'] = mutant
    # No pipe: processes that a failing test leaves behind would keep it open.
    with tempfile.TemporaryFile('w+') as output:
        process = subprocess.Popen(
            ['tests/writer/%s_with_mutants' % program, '--gtest_filter=' + tests],
            env=environment, stdout=output, stderr=output,
            start_new_session=True)
        try:
            code = process.wait(timeout=TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return code, output.read()


class HostControlTest(unittest.TestCase):
    def check(self, mutant):
        program, tests = CONTROLS[mutant]
        if programs.is_sanitized('tests/writer/%s_with_mutants' % program):
            self.skipTest('a sanitizer changes what a mistake does')
        code, output = run(program, tests)
        self.assertEqual(code, 0, output)
        if '[  SKIPPED ]' in output:
            self.skipTest('the test is skipped here')
        self.assertIn('[       OK ]', output)
        # Some mistakes need a signal at the right instruction.
        for _ in range(ATTEMPTS):
            code, output = run(program, tests, mutant)
            if code != 0:
                return
        self.fail('never seen: ' + output)


def add_cases():
    for name in CONTROLS:
        def case(self, mutant=name):
            self.check(mutant)
        setattr(HostControlTest, 'test_' + name, case)


add_cases()


if __name__ == '__main__':
    outcome_lines.main()
