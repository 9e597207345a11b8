"""tine-emit: what it writes, what it answers, how it ends."""

import os
import stat
import subprocess
import unittest

from tests.compatibility import read_format
from tests.testing import outcome_lines, programs

EMIT = programs.path('tools/tine-emit')


def lines_in(directory):
    """What a reader finds in all metric files, sorted."""
    lines = []
    for name in os.listdir(directory):
        lines += read_format.read_file(os.path.join(directory, name))
    return sorted(lines)


class EmitTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def emit(self, *arguments, **options):
        return programs.run(EMIT, '--dir=' + self.directory, *arguments,
                            **options)

    def assert_done(self, *arguments):
        result = self.emit(*arguments)
        self.assertEqual((result.returncode, result.stdout), (0, ''),
                         result.stderr)

    def feed(self, text, *flags):
        return self.emit('--stdin', *flags, input=text)


class OneChangeTest(EmitTest):
    def test_every_command_reaches_its_file(self):
        self.assert_done('counter', 'c_total', 'b=2', 'a=x y', '41')
        self.assert_done('counter', 'seconds_total', '0.25')
        self.assert_done('gauge', 'g', '-5', '--mode=max')
        self.assert_done('gauge', 'h', '1.5', '--op=add')
        self.assert_done('histogram', 'i', '2', '--buckets=1,2,5')
        self.assert_done('summary', 's', '7')
        self.assert_done('updown', 'u', '-2')
        self.assertEqual(lines_in(self.directory), [
            "counter c_total{a='x y',b='2'} 41",
            'counter seconds_total{} 0.25',
            'gauge g{} -5.0',
            'gauge h{} 1.5',
            'histogram i{} buckets=1.0:0,2.0:1,5.0:0,+Inf:0 sum=2.0',
            'summary s{} count=1 sum=7.0',
            'updown u{} -2',
        ])

    def test_each_run_is_a_writer_of_its_own(self):
        for _ in range(3):
            self.assert_done('counter', 'c_total', '1')
        self.assertEqual(lines_in(self.directory), ['counter c_total{} 1'] * 3)

    def test_gauge_is_mostrecent_unless_told_otherwise(self):
        self.assert_done('gauge', 'g', '3')
        self.assertRegex(lines_in(self.directory)[0], r'^gauge g{} 3\.0 at=\d+$')

    def test_process_labels_go_into_the_header(self):
        self.assert_done('--process-labels=app=x,b=y', 'counter', 'c_total', '1')
        self.assertEqual(lines_in(self.directory), [
            'counter c_total{} 1', "process app='x'", "process b='y'"])

    def test_directory_may_come_from_the_environment(self):
        result = programs.run(EMIT, 'counter', 'c_total', '1',
                              env={'TINE_DIR': self.directory})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(lines_in(self.directory), ['counter c_total{} 1'])

    def test_usage_errors_end_with_2_and_leave_no_file(self):
        for arguments in ([], ['count', 'c_total', '1'], ['counter', 'c_total'],
                          ['counter', 'c_total', '-1'], ['counter', '1c', '1'],
                          ['gauge', 'g', '1', '--mode=livesum'],
                          ['gauge', 'g', '1', '--op=add', '--mode=mostrecent'],
                          ['updown', 'u', '1', '--mode=livesum'],
                          ['--ack', 'counter', 'c_total', '1'],
                          ['--stdin', 'counter', 'c_total', '1'],
                          ['--process-labels=le=x', 'counter', 'c_total', '1'],
                          ['--process-labels=x', 'counter', 'c_total', '1'],
                          ['--unknown', 'counter', 'c_total', '1']):
            with self.subTest(arguments):
                result = self.emit(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn('tine-emit: ', result.stderr)
        self.assertEqual(os.listdir(self.directory), [])

    def test_live_mode_says_what_to_do(self):
        result = self.emit('gauge', 'g', '1', '--mode=liveall')
        self.assertIn('--stdin', result.stderr)

    def test_value_without_a_file_is_a_failure(self):
        for directory in (self.directory + '/missing', '/proc'):
            result = programs.run(EMIT, '--dir=' + directory, 'counter',
                                  'c_total', '1')
            self.assertEqual(result.returncode, 1)
            self.assertIn('tine-emit: not in a metric file', result.stderr)

    def test_open_directory_is_refused(self):
        os.chmod(self.directory, 0o777)
        self.assertEqual(self.emit('counter', 'c_total', '1').returncode, 1)
        os.chmod(self.directory, 0o777 | stat.S_ISVTX)
        self.assertEqual(self.emit('counter', 'c_total', '1').returncode, 0)

    def test_disabled_writer_is_a_failure(self):
        result = self.emit('counter', 'c_total', '1', env={'TINE_DISABLE': '1'})
        self.assertEqual(result.returncode, 1)
        self.assertIn('TINE_DISABLE', result.stderr)

    def test_help_and_version_go_to_stdout(self):
        result = programs.run(EMIT, '--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        for word in ('counter', 'gauge', 'histogram', 'summary', 'updown',
                     '--stdin', '--ack', '--dir'):
            self.assertIn(word, result.stdout)
        self.assertRegex(programs.run(EMIT, '--version').stdout,
                         r'^tine-emit \d+\.\d+\.\d+$')


class ManyChangesTest(EmitTest):
    def test_lines_of_one_metric_add_up_in_one_file(self):
        result = self.feed("counter c_total x='a b' 1\n"
                           '\n'
                           '   # a comment\n'
                           'counter c_total x="a b" 2 # and more\n'
                           'counter c_total x=a\\ b 4\n')
        self.assertEqual((result.returncode, result.stdout), (0, ''))
        self.assertEqual(lines_in(self.directory),
                         ["counter c_total{x='a b'} 7"])
        self.assertEqual(len(os.listdir(self.directory)), 1)

    def test_later_lines_need_not_repeat_the_definition(self):
        result = self.feed(
            'histogram h_seconds 0.5 --buckets=1 --help-text=H --unit=seconds\n'
            'histogram h_seconds 3\n'
            'gauge g 1 --mode=max\n'
            'gauge g 5\n'
            'counter f_total 0.5\n'
            'counter f_total 2\n')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(lines_in(self.directory), [
            'counter f_total{} 2.5', 'gauge g{} 5.0',
            'histogram h_seconds{} buckets=1.0:1,+Inf:1 sum=3.5'])

    def test_errors_name_their_line_and_the_rest_goes_on(self):
        result = self.feed('counter c_total 1\nnonsense\ncounter c_total 2\n'
                           'counter "c_total 3\n')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('tine-emit: line 2: ', result.stderr)
        self.assertIn('tine-emit: line 4: ', result.stderr)
        self.assertEqual(lines_in(self.directory), ['counter c_total{} 3'])

    def test_ack_answers_each_command_and_nothing_else(self):
        result = self.feed('counter c_total 1\n\n# no\nnonsense\n'
                           'gauge c_total 1\ncounter c_total a=b 1\n'
                           'counter c_total 1.5\ngauge g_bytes 1 --unit=metres\n'
                           'counter c_total 1\n', '--ack')
        answers = result.stdout.splitlines()
        self.assertEqual([line.split(' ')[0] for line in answers],
                         ['ok', 'error:', 'error:', 'error:', 'error:',
                          'error:', 'ok'])
        self.assertEqual(lines_in(self.directory), ['counter c_total{} 2'])

    def test_ack_without_a_file_is_an_error_each_time(self):
        result = programs.run(EMIT, '--dir=/proc', '--stdin', '--ack',
                              input='counter c_total 1\ncounter c_total 1\n')
        self.assertEqual(result.returncode, 1)
        self.assertEqual([line[:7] for line in result.stdout.splitlines()],
                         ['error: ', 'error: '])

    def test_acknowledged_values_are_in_the_file_at_once(self):
        writer = programs.start(
            self, EMIT, '--dir=' + self.directory, '--stdin', '--ack',
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for number in range(1, 200):
            writer.stdin.write('counter c_total 1\n')
            writer.stdin.flush()
            self.assertEqual(writer.stdout.readline(), 'ok\n')
            self.assertEqual(lines_in(self.directory),
                             ['counter c_total{} %d' % number])
        # What was acknowledged survives any death.
        writer.kill()
        writer.wait()
        self.assertEqual(lines_in(self.directory), ['counter c_total{} 199'])

    def test_live_modes_are_allowed(self):
        result = self.feed('gauge g 2 --mode=liveall\nupdown u 1 --mode=livesum\n')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(lines_in(self.directory),
                         ['gauge g{} 2.0', 'updown u{} 1'])

    def test_last_line_needs_no_newline(self):
        self.assertEqual(self.feed('counter c_total 3').returncode, 0)
        self.assertEqual(lines_in(self.directory), ['counter c_total{} 3'])


if __name__ == '__main__':
    outcome_lines.main()
