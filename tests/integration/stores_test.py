"""Writers of several stores side by side, under one real collector."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

EMIT = programs.path('tools/tine-emit')


def metric_files(directory):
    return [name for name in os.listdir(directory) if name.endswith('.tine')]


def value_of(text, series):
    for line in text.splitlines():
        if line.startswith(series + ' '):
            return float(line.rsplit(' ', 1)[1])
    return None


class Writer:
    """A living tine-emit that counts in this store."""

    def __init__(self, test, directory, store):
        self._process = programs.start(
            test, EMIT, '--dir=' + directory, '--stdin', '--ack',
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1,
            env=dict(os.environ, TINE_STORE=store))

    def ask(self, line):
        self._process.stdin.write(line + '\n')
        return self._process.stdout.readline().strip()

    def emit(self, line):
        answer = self.ask(line)
        assert answer == 'ok', answer

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class StoresTest(unittest.TestCase):
    def check_sums_and_folds(self, directory, stores, is_folded):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + directory)
        writers = [Writer(self, directory, store) for store in stores]
        total = 0
        for amount in range(1, 31):
            writer = writers[amount % len(writers)]
            writer.emit('counter c_total %d' % amount)
            writer.emit('histogram h 0.5 --buckets=1,2')
            total += amount
            # What was acknowledged is in the next scrape.
            text = collector.scrape()
            self.assertEqual(value_of(text, 'c_total'), total)
            self.assertEqual(value_of(text, 'h_bucket{le="1"}'), amount)
        writers[0].emit('gauge g 3 --mode=livesum')
        writers[1].emit('gauge g 4 --mode=livesum')
        text = collector.scrape()
        self.assertEqual(value_of(text, 'g'), 7)
        self.assertEqual(value_of(text, 'tine_quarantined_files') or 0, 0)
        self.assertEqual(len(metric_files(directory)), len(writers))
        # One dies: its numbers stay, its live gauge does not.
        writers[0].kill()
        text = collector.scrape()
        self.assertEqual(value_of(text, 'c_total'), total)
        self.assertEqual(value_of(text, 'g'), 4)
        writers[1].emit('counter c_total 1000')
        for writer in writers[1:]:
            writer.kill()
        if is_folded:
            programs.wait_until(lambda: not metric_files(directory), 'folding')
        text = collector.scrape()
        self.assertEqual(value_of(text, 'c_total'), total + 1000)
        self.assertEqual(value_of(text, 'h_count'), 30)

    def test_mapped_and_written_files_add_up_and_are_folded(self):
        self.check_sums_and_folds(programs.metrics_directory(self),
                                  ['mmap', 'pwrite'], is_folded=True)

    def test_written_files_on_a_disk_add_up_and_are_folded(self):
        directory = tempfile.mkdtemp(prefix='test-tine-', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        kind = programs.run('stat', '-f', '-c', '%T', directory).stdout.strip()
        # Others are served and not folded.
        self.check_sums_and_folds(
            directory, ['pwrite', 'pwrite', 'pwrite'],
            is_folded=kind in ('ext2/ext3', 'xfs', 'tmpfs'))

    def test_memory_and_none_are_nobody_elses(self):
        directory = programs.metrics_directory(self)
        for store in ('memory', 'none'):
            self.assertIn('error: not',
                          Writer(self, directory, store).ask('counter c_total 1'))
        Writer(self, directory, 'pwrite').emit('counter c_total 2')
        text = collector_process.run('--dir=' + directory, '--once').stdout
        self.assertEqual(value_of(text, 'c_total'), 2)
        self.assertEqual(len(metric_files(directory)), 1)


if __name__ == '__main__':
    outcome_lines.main()
