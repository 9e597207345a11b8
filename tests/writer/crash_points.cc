#include "tests/writer/crash_points.h"

#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "tests/testing/child_process.h"
#include "tests/testing/followed_directory.h"
#include "tests/testing/test_directory.h"
#include "tests/writer/directory_image.h"

namespace tine::testing {
namespace {

using collector::FileState;

std::string TextOf(const ServedNumbers& numbers) {
  std::string text = "{";
  for (const auto& [name, number] : numbers) {
    text += ' ' + name.substr(0, 60) + '=' + std::to_string(number);
  }
  return text + " }";
}

void Empty(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::filesystem::remove(entry.path());
  }
}

// Compares what is served with what may be. A reader's progress through the
// scenario's states is its own; it never goes back.
class Judge {
 public:
  Judge(const CrashScenario* scenario, FileState wanted)
      : scenario_(scenario), wanted_(wanted) {}

  // Empty: all is well.
  std::string Check(FollowedDirectory::Answer answer, size_t file_count) {
    for (const auto& [reason, count] : answer.statistics.problems) {
      return "damage: " + std::string(reason);
    }
    if (answer.FilesIn(wanted_) != file_count) {
      return std::to_string(file_count) + " files, of which only " +
             std::to_string(answer.FilesIn(wanted_)) + " are " +
             std::string(FileStateName(wanted_));
    }
    if (scenario_->judge_added) {
      const std::string problem = scenario_->judge_added(&answer.numbers);
      if (!problem.empty()) {
        return problem;
      }
    }
    for (size_t i = state_; i < scenario_->states.size(); ++i) {
      if (scenario_->states[i] == answer.numbers) {
        state_ = i;
        return "";
      }
    }
    return "served " + TextOf(answer.numbers) + " after " +
           TextOf(scenario_->states[state_]);
  }

  bool is_at_start() const { return state_ == 0; }
  bool is_at_end() const { return state_ + 1 == scenario_->states.size(); }

 private:
  const CrashScenario* const scenario_;
  const FileState wanted_;
  size_t state_ = 0;
};

// The three readers.
class CrashReaders {
 public:
  CrashReaders(const CrashScenario* scenario, const std::string& directory)
      : directory_(directory),
        follower_(directory),
        starting_judge_(scenario, FileState::kLive),
        following_judge_(scenario, FileState::kLive),
        killed_judge_(scenario, FileState::kDead) {}

  std::string Check(const PublishedImage& image) {
    const size_t file_count = image.file_count();
    std::string problem =
        starting_judge_.Check(FollowedDirectory(directory_).Read(), file_count);
    if (!problem.empty()) {
      return "a reader that starts: " + problem;
    }
    problem = following_judge_.Check(follower_.Read(), file_count);
    if (!problem.empty()) {
      return "a reader that follows: " + problem;
    }
    image.CopyTo(copy_.path());
    problem =
        killed_judge_.Check(FollowedDirectory(copy_.path()).Read(), file_count);
    return problem.empty() ? "" : "a reader after a kill: " + problem;
  }

  bool are_at_start() const {
    return starting_judge_.is_at_start() && following_judge_.is_at_start() &&
           killed_judge_.is_at_start();
  }
  bool are_at_end() const {
    return starting_judge_.is_at_end() && following_judge_.is_at_end() &&
           killed_judge_.is_at_end();
  }

 private:
  const std::string directory_;
  const TestDirectory copy_;
  FollowedDirectory follower_;
  Judge starting_judge_;
  Judge following_judge_;
  Judge killed_judge_;
};

// Takes the last step's consequences. True when readers must look.
bool TakeStep(const CrashScenario& scenario, SteppedProcess* process) {
  process->Step();
  return scenario.after_step && process->is_in_stage() &&
         scenario.after_step(process);
}

// How it ended though nobody had asked it to.
std::string EarlyEnd(const SteppedProcess& process) {
  return process.is_stopped()
             ? ""
             : "the process ended " + EndingText(process.wait_status());
}

std::string EndProblem(const CrashScenario& scenario,
                       const std::string& directory,
                       const CrashReaders& readers) {
  if (!readers.are_at_end()) {
    return "the last state was never served";
  }
  return scenario.judge_end ? scenario.judge_end(directory) : "";
}

}  // namespace

CrashReport StepThroughCrashPoints(const CrashScenario& scenario,
                                   const std::string& directory) {
  CrashReport report;
  SteppedProcess process(scenario.body);
  if (scenario.follows_fork) {
    process.FollowFork();
  }
  PublishedImage image(directory);
  CrashReaders readers(&scenario, directory);
  image.Refresh();
  report.violation = readers.Check(image);
  if (report.violation.empty() && !readers.are_at_start()) {
    report.violation = "the first state was never served";
  }
  while (report.violation.empty() && process.is_in_stage()) {
    const bool must_look = TakeStep(scenario, &process);
    ++report.point_count;
    const bool has_changed = image.Refresh();
    report.state_count += has_changed ? 1 : 0;
    report.violation = EarlyEnd(process);
    if (report.violation.empty() && (has_changed || must_look)) {
      report.violation = readers.Check(image);
    }
  }
  if (report.violation.empty()) {
    report.violation = EndProblem(scenario, directory, readers);
  }
  if (!report.violation.empty()) {
    report.violation = "after " + std::to_string(report.point_count) +
                       " instructions, " + report.violation;
  }
  report.file_count = image.file_count();
  report.used_bytes = image.used_bytes();
  process.Kill();
  Empty(directory);
  return report;
}

std::string KillAtCrashPoint(const CrashScenario& scenario,
                             const std::string& directory, uint64_t step) {
  SteppedProcess process(scenario.body);
  if (scenario.follows_fork) {
    process.FollowFork();
  }
  for (uint64_t i = 0; i < step && process.is_in_stage(); ++i) {
    TakeStep(scenario, &process);
  }
  std::string problem = EarlyEnd(process);
  PublishedImage image(directory);
  image.Refresh();
  const auto before = BytesOfAllFiles(directory);
  process.Kill();
  if (problem.empty() && BytesOfAllFiles(directory) != before) {
    problem = "the files are not what they were before the SIGKILL";
  }
  if (problem.empty()) {
    Judge judge(&scenario, FileState::kDead);
    problem =
        judge.Check(FollowedDirectory(directory).Read(), image.file_count());
  }
  Empty(directory);
  return problem;
}

uint64_t CountCrashPoints(const CrashScenario& scenario,
                          const std::string& directory) {
  SteppedProcess process(scenario.body);
  if (scenario.follows_fork) {
    process.FollowFork();
  }
  uint64_t point_count = 0;
  for (; process.is_in_stage(); ++point_count) {
    TakeStep(scenario, &process);
  }
  process.Kill();
  Empty(directory);
  return point_count;
}

}  // namespace tine::testing
