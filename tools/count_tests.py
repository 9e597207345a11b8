"""Counts the test cases of one `bazel test` run.

    python3 count_tests.py BUILD_EVENTS.json

BUILD_EVENTS.json is what `bazel test --build_event_json_file` wrote. Prints what
failed with its log, what was skipped with its reason, and as the last line
`N passed, N failed, N skipped`. Exits with 1 if anything failed or nothing ran.

Where the cases of a test target come from:
  * its test.xml, if the test wrote one itself (googletest does);
  * else the lines `PASSED: name`, `FAILED: name` and `SKIPPED: name: reason` of
    its log. A single `SKIPPED: reason` and no other such line is the target;
  * else the target is one case.
A target that failed, or did not build, has at least one failed case.
"""

import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections import namedtuple

PASSED, FAILED, SKIPPED = 'passed', 'failed', 'skipped'

# `reason` says why a case was skipped or what broke outside of any case.
Case = namedtuple('Case', 'name outcome reason', defaults=('',))

# One test target, or one of its shards or runs.
Result = namedtuple('Result', 'target log cases')

# How Bazel ends if there is nothing to say beyond the single tests. None: its
# record says nothing.
ORDINARY_EXITS = (None, 'SUCCESS', 'TESTS_FAILED', 'NO_TESTS_FOUND')

MARKED_LINE = re.compile(r'^(PASSED|FAILED|SKIPPED): *(.+?) *$', re.MULTILINE)


def cases_from_log(target, log_text, succeeded):
    """Cases of a test that writes no XML, a shell or Python script say.

    Empty if the log marks no case.
    """
    marks = MARKED_LINE.findall(log_text)
    if [outcome for outcome, _ in marks] == ['SKIPPED'] and succeeded:
        return [Case(target, SKIPPED, marks[0][1])]
    cases = []
    for outcome, text in marks:
        if outcome == 'SKIPPED':
            name, _, reason = text.partition(': ')
            cases.append(Case(name, SKIPPED, reason or name))
        else:
            cases.append(Case(text, outcome.lower()))
    return cases


def skip_reason(testcase):
    """Why googletest left a case out, or None if it ran it."""
    skipped = testcase.find('skipped')
    if skipped is not None:
        # The message is "file:line\nreason"; a skip may give no reason.
        lines = (skipped.get('message') or skipped.text or '').split('\n')
        if re.search(r':\d+$', lines[0]):
            lines = lines[1:]
        return ' '.join(line.strip() for line in lines).strip() or 'no reason'
    if testcase.get('status') == 'notrun':
        return 'disabled'
    return None


def cases_from_xml(root):
    """Cases of a test.xml, or None if Bazel wrote it on the test's behalf."""
    cases = []
    for suite in root.iter('testsuite'):
        for testcase in suite.findall('testcase'):
            name = testcase.get('name', '')
            # Bazel names the one case and its suite alike, after the target.
            if suite.get('name') == name and suite.find('system-out') is not None:
                return None
            if testcase.get('classname'):
                name = testcase.get('classname') + '.' + name
            reason = skip_reason(testcase)
            if (testcase.find('failure') is not None or
                    testcase.find('error') is not None):
                cases.append(Case(name, FAILED))
            elif reason is not None:
                cases.append(Case(name, SKIPPED, reason))
            else:
                cases.append(Case(name, PASSED))
    return cases


def read_text(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except OSError:
        return ''


def result_of_test(target, status, log_path, xml_path):
    """Reads what one run of one test target left behind."""
    succeeded = status in ('PASSED', 'FLAKY')
    try:
        cases = cases_from_xml(ElementTree.parse(xml_path).getroot())
    except (OSError, ElementTree.ParseError):
        cases = None  # It died before it wrote one, or while.
    if cases is None:
        cases = cases_from_log(target, read_text(log_path), succeeded)
        if succeeded and not cases:
            cases = [Case(target, PASSED)]
    if not succeeded and not any(case.outcome == FAILED for case in cases):
        cases.append(Case(target, FAILED, 'the test ended with ' + status))
    return Result(target, log_path, cases)


def output_paths(test_result):
    """Maps 'test.log' and 'test.xml' to the files of one test run."""
    return {
        output['name']: urllib.parse.unquote(
            urllib.parse.urlparse(output.get('uri', '')).path)
        for output in test_result.get('testActionOutput', [])
    }


def results_from_events(events):
    """Yields a Result for each test that ran and each target that broke."""
    runs = {}  # The last attempt of each shard and run.
    broken = {}  # Target to what Bazel says about it.
    exit_name = None
    for event in events:
        ident = event.get('id', {})
        if 'testResult' in ident:
            run = ident['testResult']
            runs[run['label'], run.get('run'), run.get('shard')] = (
                event.get('testResult', {}))
        elif 'targetCompleted' in ident:
            label = ident['targetCompleted']['label']
            aborted = event.get('aborted', {})
            if aborted.get('reason') == 'SKIPPED':
                continue
            if not event.get('completed', {}).get('success'):
                broken[label] = aborted.get('description') or 'does not build'
        elif 'aborted' in event:
            # A pattern that matches nothing.
            label = next((label_of(value) for value in ident.values()), '')
            broken[label] = event['aborted'].get('description', '').strip()
        elif 'buildFinished' in ident:
            exit_name = event.get('finished', {}).get('exitCode', {}).get('name')
    # A BUILD file that does not load, a flag that Bazel does not know.
    if not broken and exit_name not in ORDINARY_EXITS:
        broken['the build'] = 'Bazel ended with %s' % exit_name
    for (label, _, _), test_result in runs.items():
        broken.pop(label, None)
        paths = output_paths(test_result)
        yield result_of_test(label, test_result.get('status', 'NO_STATUS'),
                             paths.get('test.log', ''),
                             paths.get('test.xml', ''))
    for label, description in broken.items():
        yield Result(label, '', [Case(label, FAILED, description)])


def label_of(ident):
    """The label or pattern that an event's identifier names."""
    if isinstance(ident, dict):
        return ident.get('label') or ' '.join(ident.get('pattern', [])) or 'build'
    return 'build'


def summary(results):
    """What to print about `results`; its last line holds the counts."""
    lines = []
    counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
    for result in sorted(results):
        for case in result.cases:
            counts[case.outcome] += 1
            if case.outcome == PASSED:
                continue
            line = '{}: {}'.format(case.outcome.upper(), result.target)
            if case.name != result.target:
                line += ' ' + case.name
            if case.reason:
                line += ': ' + case.reason
            lines.append(line)
        if result.log and any(c.outcome == FAILED for c in result.cases):
            lines.append('  log: ' + result.log)
    lines.append('{passed} passed, {failed} failed, {skipped} skipped'.format(
        **counts))
    return lines, counts


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding='utf-8') as file:
        events = [json.loads(line) for line in file if line.strip()]
    lines, counts = summary(list(results_from_events(events)))
    print('\n'.join(lines))
    return 0 if counts[PASSED] and not counts[FAILED] else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
