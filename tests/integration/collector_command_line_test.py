"""Flags, exit codes, --once and what goes wrong before anything is served."""

import json
import os
import socket
import stat
import subprocess
import unittest

from tests.integration import collector_process
from tests.integration.collector_process import CollectorProcess, run
from tests.testing import outcome_lines
from tests.testing import programs

REQUESTS = ('# HELP requests_total Requests.\n'
            '# TYPE requests_total counter\n'
            'requests_total{method="GET"} 42\n')


class UsageTest(unittest.TestCase):
    def assert_mistake(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(result.stdout, '')
        self.assertRegex(result.stderr, r'\Atine-collector: [^\n]+\n\Z')
        return result.stderr

    def test_unknown_flag(self):
        self.assertIn('--frobnicate', self.assert_mistake('--frobnicate'))

    def test_stray_argument(self):
        self.assertIn('stray', self.assert_mistake('stray'))

    def test_bad_listen_address(self):
        self.assertIn('"::1:80"',
                      self.assert_mistake('--web.listen-address=::1:80'))

    def test_bad_pattern(self):
        self.assertIn('--series.exclude="a("',
                      self.assert_mistake('--series.exclude=a('))

    def test_bad_log_level(self):
        self.assertIn('loud', self.assert_mistake('--log.level=loud'))

    def test_output_without_once(self):
        self.assertIn('--once', self.assert_mistake('--output=/tmp/x'))

    def test_help_and_version(self):
        result = run('--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertIn('--web.listen-address=ADDRESS', result.stdout)
        self.assertLess(max(map(len, result.stdout.splitlines())), 81)
        result = run('--version')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertTrue(
            result.stdout.startswith('tine-collector, version 0.1.0\n'))


class OnceTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)
        collector_process.place_golden(self.directory, 'counter_u64.tine')

    def test_prints_the_merged_text_and_nothing_else(self):
        result = run('--once', '--dir=' + self.directory)
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (0, REQUESTS, ''))

    def test_directory_from_the_environment(self):
        result = run('--once', env={'TINE_DIR': self.directory})
        self.assertEqual((result.returncode, result.stdout), (0, REQUESTS))

    def test_flag_wins_over_the_environment(self):
        result = run('--once', '--dir=' + self.directory,
                     env={'TINE_DIR': '/nowhere'})
        self.assertEqual((result.returncode, result.stdout), (0, REQUESTS))

    def test_empty_directory_is_empty_text(self):
        result = run('--once', '--dir=' + programs.metrics_directory(self))
        self.assertEqual((result.returncode, result.stdout), (0, ''))

    def test_filters_apply(self):
        result = run('--once', '--dir=' + self.directory,
                     '--series.exclude=requests.*')
        self.assertEqual((result.returncode, result.stdout), (0, ''))

    def test_missing_directory_is_named(self):
        result = run('--once', '--dir=/no/such/directory')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('dir=/no/such/directory', result.stderr)
        self.assertIn('No such file or directory', result.stderr)
        self.assertEqual(result.stderr.count('\n'), 1)

    def test_full_stdout_is_a_failure(self):
        with open('/dev/full', 'w') as full:
            process = subprocess.run(
                [collector_process.COLLECTOR, '--once',
                 '--dir=' + self.directory], stdout=full,
                stderr=subprocess.PIPE, check=False,
                timeout=collector_process.DEADLINE_SECONDS)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b'stdout', process.stderr)

    def test_output_replaces_the_file(self):
        other = programs.metrics_directory(self)
        path = os.path.join(other, 'merged.prom')
        for _ in range(2):
            result = run('--once', '--dir=' + self.directory,
                         '--output=' + path)
            self.assertEqual((result.returncode, result.stdout, result.stderr),
                             (0, '', ''))
            with open(path) as file:
                self.assertEqual(file.read(), REQUESTS)
        self.assertEqual(os.listdir(other), ['merged.prom'])
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o666 & ~mask)

    def test_output_that_cannot_be_written_keeps_the_old_file(self):
        result = run('--once', '--dir=' + self.directory,
                     '--output=/no/such/merged.prom')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('/no/such/merged.prom', result.stderr)

    def test_nothing_is_changed_in_the_directory(self):
        before = sorted(os.listdir(self.directory))
        run('--once', '--dir=' + self.directory)
        self.assertEqual(sorted(os.listdir(self.directory)), before)


class StartTest(unittest.TestCase):
    def assert_failure(self, *arguments, **options):
        result = run('--web.listen-address=127.0.0.1:0', *arguments, **options)
        self.assertEqual(result.returncode, 1, result)
        errors = [line for line in result.stderr.splitlines()
                  if 'level=error' in line]
        self.assertEqual(len(errors), 1, result.stderr)
        return errors[0]

    def test_address_in_use(self):
        directory = programs.metrics_directory(self)
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            address = '127.0.0.1:%d' % taken.getsockname()[1]
            line = self.assert_failure('--dir=' + directory,
                                       '--web.listen-address=' + address)
        self.assertIn(address, line)
        self.assertIn('Address already in use', line)

    def test_directory_that_is_a_file(self):
        line = self.assert_failure('--dir=/etc/passwd')
        self.assertIn('dir=/etc/passwd', line)
        self.assertIn('Not a directory', line)

    def test_directory_that_is_world_writable_and_not_sticky(self):
        directory = programs.metrics_directory(self)
        os.chmod(directory, 0o777)
        line = self.assert_failure('--dir=' + directory)
        self.assertIn('not sticky', line)
        os.chmod(directory, 0o1777)
        CollectorProcess(self, '--dir=' + directory).scrape()

    def test_directory_without_permission(self):
        directory = programs.metrics_directory(self)
        options = {}
        if os.geteuid() == 0:
            if not os.access(collector_process.COLLECTOR, os.X_OK):
                self.skipTest('the binary is not to be run by others')
            options['preexec_fn'] = lambda: (os.setgid(65534),
                                             os.setuid(65534))
            try:
                run('--version', **options).check_returncode()
            except (PermissionError, subprocess.SubprocessError):
                self.skipTest('another user cannot reach the binary')
        else:
            os.chmod(directory, 0)
        line = self.assert_failure('--dir=' + directory, **options)
        self.assertIn('Permission denied', line)

    def test_json_log_is_json(self):
        result = run('--web.listen-address=127.0.0.1:0', '--log.format=json',
                     '--dir=/etc/passwd')
        self.assertEqual(result.returncode, 1)
        for line in result.stderr.splitlines():
            record = json.loads(line)
            self.assertLessEqual({'ts', 'level', 'msg'}, set(record))
        self.assertEqual(record['dir'], '/etc/passwd')


if __name__ == '__main__':
    outcome_lines.main()
