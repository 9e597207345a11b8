"""Tests of count_tests.py, on files as Bazel and googletest write them."""

import os
import tempfile
import unittest

from tools import count_tests

GTEST_XML = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" disabled="1" errors="0" name="AllTests">
  <testsuite name="Shop" tests="4" failures="1" disabled="1" skipped="1">
    <testcase name="Sells" status="run" result="completed" classname="Shop" />
    <testcase name="Buys" status="run" result="completed" classname="Shop">
      <failure message="a&#x0A;b" type=""><![CDATA[a
b]]></failure>
    </testcase>
    <testcase name="Rents" status="run" result="skipped" classname="Shop">
      <skipped message="shop/shop_test.cc:4&#x0A;no landlord: sorry&#x0A;" />
    </testcase>
    <testcase name="DISABLED_Closes" status="notrun" result="suppressed"
              classname="Shop" />
  </testsuite>
</testsuites>
"""

# What Bazel writes for a test that does not write its own.
BAZEL_XML = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="shop/till_test" tests="1" failures="0" errors="{errors}">
    <testcase name="shop/till_test" status="run" duration="0" time="0">{error}
    </testcase>
      <system-out><![CDATA[output]]></system-out>
    </testsuite>
</testsuites>
"""
BAZEL_XML_PASSED = BAZEL_XML.format(errors=0, error='')
BAZEL_XML_FAILED = BAZEL_XML.format(
    errors=1, error='<error message="exited with error code 3"></error>')


def completed(label, success=True):
    return {'id': {'targetCompleted': {'label': label}},
            'completed': {'success': True} if success else {}}


class CountTestsTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_event(self, label, status, log='', xml=None, attempt=1):
        """The event of one test run whose outputs are `log` and `xml`."""
        outputs = []
        for name, text in (('test.log', log), ('test.xml', xml)):
            if text is None:
                continue
            path = os.path.join(self.directory, '%d_%s' % (
                len(os.listdir(self.directory)), name))
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            outputs.append({'name': name, 'uri': 'file://' + path})
        return {
            'id': {'testResult': {'label': label, 'run': 1, 'shard': 1,
                                  'attempt': attempt}},
            'testResult': {'status': status, 'testActionOutput': outputs},
        }

    def last_line(self, *events):
        lines, _ = count_tests.summary(
            list(count_tests.results_from_events(events)))
        self.lines = lines
        return lines[-1]

    def test_counts_googletest_cases(self):
        event = self.run_event('//shop:t', 'FAILED', xml=GTEST_XML)
        self.assertEqual(self.last_line(event),
                         '1 passed, 1 failed, 2 skipped')
        self.assertIn('FAILED: //shop:t Shop.Buys', self.lines)
        self.assertIn('SKIPPED: //shop:t Shop.Rents: no landlord: sorry',
                      self.lines)
        self.assertIn('SKIPPED: //shop:t Shop.DISABLED_Closes: disabled',
                      self.lines)

    def test_a_script_is_one_case(self):
        self.assertEqual(
            self.last_line(
                self.run_event('//shop:a', 'PASSED', xml=BAZEL_XML_PASSED),
                self.run_event('//shop:b', 'FAILED', xml=BAZEL_XML_FAILED)),
            '1 passed, 1 failed, 0 skipped')

    def test_a_script_marks_its_cases(self):
        log = ('noise\nPASSED: sells\nnot PASSED: here\n'
               'SKIPPED: rents: no landlord\nPASSED: buys\n')
        event = self.run_event('//shop:t', 'PASSED', log, BAZEL_XML_PASSED)
        self.assertEqual(self.last_line(event),
                         '2 passed, 0 failed, 1 skipped')
        self.assertIn('SKIPPED: //shop:t rents: no landlord', self.lines)

    def test_a_script_skips_as_a_whole(self):
        event = self.run_event('//shop:t', 'PASSED',
                                 'SKIPPED: user: no root\n', BAZEL_XML_PASSED)
        self.assertEqual(self.last_line(event),
                         '0 passed, 0 failed, 1 skipped')
        self.assertIn('SKIPPED: //shop:t: user: no root', self.lines)

    def test_a_marked_failure_counts_though_the_script_exits_with_0(self):
        event = self.run_event('//shop:t', 'PASSED', 'FAILED: sells\n',
                                 BAZEL_XML_PASSED)
        self.assertEqual(self.last_line(event),
                         '0 passed, 1 failed, 0 skipped')

    def test_a_failed_script_has_a_failed_case_whatever_it_marks(self):
        for log in ('PASSED: sells\nSKIPPED: rents: no landlord\n',
                    'PASSED: sells\nSKIPPED: rents\n'):
            event = self.run_event('//shop:t', 'FAILED', log,
                                     BAZEL_XML_FAILED)
            self.assertEqual(self.last_line(event),
                             '1 passed, 1 failed, 1 skipped')

    def test_a_sanitizer_finding_after_the_last_case_counts(self):
        xml = GTEST_XML.replace('<failure', '<note').replace('</failure',
                                                             '</note')
        event = self.run_event('//shop:t', 'FAILED', xml=xml)
        self.assertEqual(self.last_line(event),
                         '2 passed, 1 failed, 2 skipped')

    def test_a_crash_leaves_no_xml_or_half_of_one(self):
        for xml in (None, '', GTEST_XML[:200]):
            event = self.run_event('//shop:t', 'TIMEOUT', 'boom', xml)
            self.assertEqual(self.last_line(event),
                             '0 passed, 1 failed, 0 skipped')
            self.assertIn('FAILED: //shop:t: the test ended with TIMEOUT',
                          self.lines)

    def test_the_last_attempt_counts(self):
        self.assertEqual(
            self.last_line(
                self.run_event('//shop:t', 'FAILED', xml=BAZEL_XML_FAILED),
                self.run_event('//shop:t', 'PASSED', xml=BAZEL_XML_PASSED,
                                 attempt=2)),
            '1 passed, 0 failed, 0 skipped')

    def test_what_does_not_build_is_a_failed_case(self):
        self.assertEqual(
            self.last_line(completed('//shop:till', success=False),
                           completed('//shop:shop')),
            '0 passed, 1 failed, 0 skipped')
        self.assertIn('FAILED: //shop:till: does not build', self.lines)

    def test_a_build_file_that_does_not_load_is_a_failed_case(self):
        for name, failed in (('SUCCESS', 0), ('TESTS_FAILED', 0),
                             ('PARSING_FAILURE', 1)):
            finished = {'id': {'buildFinished': {}},
                        'finished': {'exitCode': {'name': name}}}
            self.assertEqual(self.last_line(finished),
                             '0 passed, %d failed, 0 skipped' % failed)

    def test_a_failed_test_is_counted_once(self):
        self.assertEqual(
            self.last_line(
                completed('//shop:t', success=False),
                self.run_event('//shop:t', 'FAILED', xml=BAZEL_XML_FAILED)),
            '0 passed, 1 failed, 0 skipped')

    def test_a_failure_names_its_log(self):
        self.last_line(
            self.run_event('//shop:t', 'FAILED', xml=BAZEL_XML_FAILED))
        self.assertEqual(self.lines[-2],
                         '  log: ' + self.directory + '/0_test.log')

    def test_main_fails_if_nothing_ran(self):
        path = os.path.join(self.directory, 'events.json')
        with open(path, 'w', encoding='utf-8'):
            pass
        self.assertEqual(count_tests.main([path]), 1)


if __name__ == '__main__':
    unittest.main()
