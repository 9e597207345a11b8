// The matrix: each system call of a scenario failing with each errno, and what
// must be true of the host then. Compiled with the library, and with mutants of
// it.

#ifndef TINE_TESTS_WRITER_FAILING_CALL_CASES_H_
#define TINE_TESTS_WRITER_FAILING_CALL_CASES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/testing/test_directory.h"
#include "tests/writer/failing_call_host.h"
#include "tests/writer/host_report.h"
#include "tests/writer/system_call_tracer.h"

namespace tine::testing {

// MADV_POPULATE_WRITE
bool IsPopulating(const SystemCall& call);

// The errnos of the matrix.
const std::vector<int>& AllErrors();

struct CaseOutcome {
  // What was wrong; empty if nothing was.
  std::vector<std::string> complaints;
  TraceResult trace;
};

class FailingCallCases {
 public:
  FailingCallCases();
  FailingCallCases(const FailingCallCases&) = delete;
  FailingCallCases& operator=(const FailingCallCases&) = delete;
  ~FailingCallCases();

  // Runs the host in a traced child with this failure; looks at what it was
  // like for the host, and at what is in the directory afterwards. While a
  // lasting failure lasts, the host counts `increments` times more.
  CaseOutcome Run(const Scenario& scenario, const PlannedFailure& failure,
                  int increments = 5'000);

  // The case for each call of the scenario's clean run and each error; lasting,
  // and for some errors passing too. Where the scenario's calls are mostly
  // those of another one, an ordinary run takes a part of the errors, for each
  // call another part. Stops at the first that has complaints; returns them,
  // each with the case. `*case_count` goes up by the cases run. `only_call` is
  // the number of a system call.
  std::string RunAll(const Scenario& scenario, int* case_count,
                     uint64_t only_call = kAnyCall);

  static constexpr uint64_t kAnyCall = UINT64_MAX;

 private:
  std::string DirectoryOf(const Scenario& scenario) const;
  void Clear(const std::string& directory) const;
  std::string StderrText() const;
  void Check(const std::string& directory, const PlannedFailure& failure,
             CaseOutcome* outcome) const;

  TestDirectory dir_;
  std::string private_default_;  // a directory below /dev/shm, made by Init()
  UniqueFd stderr_;
  SharedReport<CaseReport> report_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_FAILING_CALL_CASES_H_
