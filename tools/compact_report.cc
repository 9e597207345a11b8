#include "tools/compact_report.h"

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <map>
#include <string_view>
#include <vector>

#include "tools/printable.h"

namespace tine::tools {
namespace {

using collector::CollectorStatistics;
using collector::FileState;
using collector::FoldReport;

// For people, and how many of them.
constexpr size_t kMaxNamesPerReason = 20;

std::string_view Explanation(std::string_view reason) {
  constexpr std::pair<std::string_view, std::string_view> kExplanations[] = {
      {"uuid_in_use", "another file of that UUID was folded"},
      {"too_many_labels", "a series has more labels than the archive takes"},
      {"lock_held", "somebody holds its life lock"},
      {"no_right_to_remove",
       "this user may not remove it, and then it would count twice"},
      {"list_full", "the archive's list of files is full"},
      {"file_system",
       "another machine may be at work on this file system: nothing is folded "
       "or removed there"},
      {"read_failed", "it cannot be read to its end now"},
      {"not_regular", "it is not a regular file"},
      {"cannot_open", "it cannot be opened, so nobody knows who holds it"},
      {"cannot_remove", "removing it failed"},
      {"unknown", "no file here has that UUID"},
  };
  for (const auto& [known, text] : kExplanations) {
    if (known == reason) {
      return text;
    }
  }
  return reason;
}

std::string SeriesText(const FoldReport::Series& series) {
  std::string text = series.family;
  bool is_name = true;
  for (const std::string_view part : series.labels.strings()) {
    if (is_name) {
      text += text.size() == series.family.size() ? '{' : ',';
      text += std::string(part) + '=';
    } else {
      text += '"' + Printable(part) + '"';
    }
    is_name = !is_name;
  }
  return series.labels.empty() ? text : text + '}';
}

std::string UuidText(const FileUuid& uuid) {
  char text[kUuidTextBytes];
  FormatUuid(uuid, text);
  return std::string(text, sizeof(text));
}

std::string Counted(size_t count, const std::string& noun) {
  const std::string plural =
      noun.back() == 's' || count == 1 ? noun : noun + 's';
  return std::to_string(count) + ' ' + plural;
}

void PrintNames(const std::string& title,
                const std::vector<std::string>& names) {
  if (!names.empty()) {
    std::cout << title << '\n';
  }
  for (const std::string& name : names) {
    std::cout << "  " << Printable(name) << '\n';
  }
}

void PrintFiles(const std::string& title,
                const std::vector<FoldReport::File>& files) {
  if (!files.empty()) {
    std::cout << title << '\n';
  }
  for (const FoldReport::File& file : files) {
    std::cout << "  " << Printable(file.name) << ": "
              << Explanation(file.reason) << '\n';
  }
}

// The series that go, or those that stay.
std::vector<std::string> SeriesTexts(const FoldReport& report, bool is_held) {
  std::vector<std::string> texts;
  for (const FoldReport::Series& series : report.series) {
    if (series.is_held == is_held) {
      texts.push_back(SeriesText(series));
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

// Not Printable again: a series' text is.
void PrintSeries(const std::string& title,
                 const std::vector<std::string>& texts) {
  std::cout << title << '\n';
  for (const std::string& text : texts) {
    std::cout << "  " << text << '\n';
  }
}

int PrintAssumed(const FoldReport& report) {
  int exit_code = kCompactDone;
  for (const FoldReport::AssumedDead& assumed : report.assumed_dead) {
    if (assumed.problem == "folded") {
      std::cout << UuidText(assumed.uuid) << " is in the archive already\n";
    } else if (!assumed.problem.empty()) {
      exit_code =
          CompactComplaint("--assume-dead=" + UuidText(assumed.uuid) + ": " +
                           std::string(Explanation(assumed.problem)));
    }
  }
  return exit_code;
}

int PrintForgotten(const FoldReport& report) {
  if (!report.forget_problem.empty()) {
    return CompactComplaint("nothing was forgotten: " + report.forget_problem);
  }
  const auto gone = SeriesTexts(report, /*is_held=*/false);
  const auto held = SeriesTexts(report, /*is_held=*/true);
  PrintSeries("forgot " + Counted(gone.size(), "series"), gone);
  if (!held.empty()) {
    CompactComplaint(Counted(held.size(), "series") +
                     " stayed, because a file still adds to them and their sum "
                     "would fall:");
    for (const std::string& text : held) {
      std::cerr << "  " << text << '\n';
    }
  }
  return held.empty() ? kCompactDone : kCompactFailed;
}

int PrintPurged(const FoldReport& report) {
  PrintFiles("removed " + Counted(report.purged.size(), "quarantined file"),
             report.purged);
  int exit_code = kCompactDone;
  for (const FoldReport::File& file : report.unpurged) {
    CompactComplaint("quarantined file " + file.name +
                     " stays: " + std::string(Explanation(file.reason)));
    // What lives, or is no metric file at all, is not to be purged.
    if (file.reason != "lock_held" && file.reason != "not_regular") {
      exit_code = kCompactFailed;
    }
  }
  return exit_code;
}

}  // namespace

int CompactComplaint(const std::string& what) {
  std::cerr << "tine-compact: " << Printable(what) << '\n';
  return kCompactFailed;
}

void PrintFileStates(const CollectorStatistics& statistics) {
  for (size_t i = 0; i < collector::kFileStateCount; ++i) {
    const uint64_t count = statistics.files.files_by_state[i];
    if (count != 0) {
      std::cout << count << ' '
                << collector::FileStateName(static_cast<FileState>(i)) << '\n';
    }
  }
  if (statistics.files.temp_files != 0) {
    std::cout << statistics.files.temp_files << " temporary\n";
  }
}

int PrintPlan(const CompactFlags& flags, const FoldReport& plan) {
  PrintNames("would fold " + Counted(plan.foldable.size(), "file") +
                 " of dead writers",
             plan.foldable);
  if (plan.foldable.empty()) {
    std::cout << "would fold 0 files of dead writers\n";
  }
  PrintNames("would remove " + Counted(plan.leftovers.size(), "file") +
                 " that the archive has already",
             plan.leftovers);
  PrintNames("would remove " + Counted(plan.temp_files.size(), "file") +
                 " that no writer lived to name",
             plan.temp_files);
  PrintFiles("cannot fold " + Counted(plan.blocked.size(), "file") +
                 " of dead writers",
             plan.blocked);
  if (!flags.forget.empty()) {
    const auto gone = SeriesTexts(plan, /*is_held=*/false);
    const auto held = SeriesTexts(plan, /*is_held=*/true);
    PrintSeries("would forget " + Counted(gone.size(), "series"), gone);
    if (!held.empty()) {
      PrintSeries("would keep " + Counted(held.size(), "series") +
                      " that a file still adds to",
                  held);
    }
  }
  if (flags.purge_age_s.has_value()) {
    std::cout << "would remove "
              << Counted(plan.purged.size(), "quarantined file") << '\n';
    for (const FoldReport::File& file : plan.purged) {
      std::cout << "  " << Printable(file.name) << ": "
                << Explanation(file.reason) << '\n';
    }
    PrintFiles(
        "would keep " + Counted(plan.unpurged.size(), "quarantined file"),
        plan.unpurged);
  }
  return PrintAssumed(plan);
}

int PrintOutcome(const CompactFlags& flags, const FoldReport& report) {
  // Exit codes here are 0 and 1.
  int exit_code = kCompactDone;
  if (flags.purge_age_s.has_value()) {
    exit_code |= PrintPurged(report);
  }
  if (report.is_collector_running) {
    return exit_code;
  }
  if (!flags.forget.empty()) {
    exit_code |= PrintForgotten(report);
  }
  return exit_code | PrintAssumed(report) | PrintBlocked(report);
}

int PrintBlocked(const FoldReport& report) {
  std::map<std::string_view, std::vector<std::string_view>> by_reason;
  for (const FoldReport::File& file : report.blocked) {
    by_reason[file.reason].push_back(file.name);
  }
  for (const std::string& name : report.foldable) {
    by_reason["it was not folded"].push_back(name);
  }
  for (const auto& [reason, names] : by_reason) {
    CompactComplaint(Counted(names.size(), "file") +
                     " of dead writers cannot be folded: " +
                     std::string(Explanation(reason)));
    for (size_t i = 0; i < std::min(names.size(), kMaxNamesPerReason); ++i) {
      std::cerr << "  " << Printable(names[i]) << '\n';
    }
    if (names.size() > kMaxNamesPerReason) {
      std::cerr << "  and " << names.size() - kMaxNamesPerReason
                << " more; --dry-run prints all\n";
    }
  }
  return by_reason.empty() ? kCompactDone : kCompactFailed;
}

}  // namespace tine::tools
