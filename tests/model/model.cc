#include "tests/model/model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace tine::model {
namespace {

// The collector's --archive.gauge-ttl is one hour; a step "age" is two. Other
// expiry begins at a day.
constexpr int kAgeHours = 2;
constexpr int kMostHours = 10;

bool IsWhole(const Metric& metric) {
  return metric.instrument == Instrument::kCounter ||
         metric.instrument == Instrument::kUpDownCounter;
}

bool IsSettable(const Metric& metric) {
  return metric.instrument == Instrument::kGauge ||
         metric.instrument == Instrument::kStateSet;
}

bool IsObserved(const Metric& metric) {
  return metric.instrument == Instrument::kHistogram ||
         metric.instrument == Instrument::kSummary;
}

bool Knows(const Metric& metric, const std::string& state) {
  return std::count(metric.states.begin(), metric.states.end(), state) != 0;
}

uint64_t WholeOf(const Step& step) {
  return std::strtoull(step.value().c_str(), nullptr, 10);
}

double NumberOf(const Step& step) {
  return std::strtod(step.value().c_str(), nullptr);
}

void Observe(double value, Share* share) {
  const std::vector<double>& bounds = share->metric.bounds;
  ++share->whole;
  share->number += value;
  size_t bucket = 0;
  while (bucket < bounds.size() && value > bounds[bucket]) {
    ++bucket;
  }
  share->buckets.resize(bounds.size() + 1);
  ++share->buckets[bucket];
}

// A state that there is not changes nothing.
void SetState(const Step& step, uint64_t set_order, Share* share) {
  if (!Knows(share->metric, step.value())) {
    return;
  }
  const bool is_it = share->state == step.value();
  if (step.verb() == "only") {
    share->number = is_it ? 1 : 0;
  } else if (is_it) {
    share->number = step.verb() == "raise" ? 1 : 0;
  }
  share->is_set = true;
  share->set_order = set_order;
}

// The labels that the share of a process is served with: an empty label is
// none, and the metric's own label wins against the process's.
Labels LabelsOf(const Share& share, const std::string& label,
                const Labels& process_labels, const std::string& pid) {
  Labels labels = process_labels;
  labels["l"] = label;
  if (share.metric.rule == "all") {
    labels["pid"] = pid;
  }
  if (!share.state.empty()) {
    labels[share.metric.name] = share.state;
  }
  for (auto it = labels.begin(); it != labels.end();) {
    it = it->second.empty() ? labels.erase(it) : std::next(it);
  }
  return labels;
}

}  // namespace

// ---- What makes sense -------------------------------------------------------

const Model::Process* Model::FindAlive(int number) const {
  const auto it = processes_.find(number);
  return it == processes_.end() || !it->second.is_alive ? nullptr : &it->second;
}

bool Model::Accepts(const Step& step) const {
  const std::string& verb = step.verb();
  if (verb == "start") {
    return processes_.count(step.process()) == 0;
  }
  if (verb == "age") {
    return hour_ < kMostHours;
  }
  if (step.process() < 0) {
    return true;
  }
  const Process* process = FindAlive(step.process());
  if (process == nullptr) {
    return false;
  }
  if (verb == "fork" || verb == "clone") {
    return processes_.count(step.child()) == 0;
  }
  return step.metric().empty() || AcceptsChange(step, *process);
}

bool Model::AcceptsChange(const Step& step, const Process& process) const {
  const std::string& verb = step.verb();
  const Metric metric = MetricOf(step.metric(), process.variant);
  if ((verb == "tell") != (metric.instrument == Instrument::kInfo)) {
    return false;
  }
  // Whether a child that looks up what its parent had has used it, too.
  const bool is_use_open =
      !process.has_file &&
      process.registry.count({metric.name, step.label()}) != 0;
  if (verb == "remove" || verb == "clear") {
    // Whose opinion counts of x_total when a part of its series has gone is
    // left open.
    return metric.name != "x_total";
  }
  if (verb == "touch") {
    return !is_use_open;
  }
  if (verb == "tell") {
    return true;
  }
  if (verb == "only" || verb == "raise" || verb == "lower") {
    return metric.instrument == Instrument::kStateSet &&
           (Knows(metric, step.value()) || !is_use_open);
  }
  if (verb == "set") {
    return metric.instrument == Instrument::kGauge;
  }
  if (verb == "observe") {
    return IsObserved(metric);
  }
  if (IsObserved(metric) || metric.instrument == Instrument::kStateSet ||
      metric.rule == "mostrecent" ||
      (verb == "thread" && (!IsWhole(metric) || process.is_clone))) {
    return false;
  }
  // A count that wraps in its own process is damage.
  Process copy = process;
  const std::vector<Share*> found = Find({metric.name, step.label()}, &copy);
  return metric.instrument != Instrument::kCounter || found.empty() ||
         found[0]->whole <=
             std::numeric_limits<uint64_t>::max() - WholeOf(step);
}

// ---- Processes --------------------------------------------------------------

std::string Model::Do(const Step& step) {
  const std::string& verb = step.verb();
  if (verb == "start") {
    Begin(step);
  } else if (verb == "fork" || verb == "clone") {
    Fork(step);
  } else if (verb == "fold") {
    Fold();
  } else if (verb == "age") {
    hour_ += kAgeHours;
  } else if (step.process() >= 0) {
    Process* process = &processes_.at(step.process());
    const Name name = {step.metric(), step.label()};
    if (verb == "kill" || verb == "exit") {
      End(process);
    } else if (verb == "remove") {
      return Remove(name, process) ? "ok" : "no";
    } else if (verb == "clear") {
      Clear(name.first, Name(), process);
    } else if (verb == "touch") {
      Touch(name, process);
    } else {
      Touch(name, process);
      if (verb == "tell") {
        Clear(name.first, name, process);
      }
      Change(step, process);
    }
  }
  return "ok";
}

void Model::Begin(const Step& step) {
  Process& process = processes_[step.process()];
  process.variant = std::atoi(step.words[2].c_str());
  const std::string& labels = step.words[3];
  const size_t equals = labels.find('=');
  if (equals != std::string::npos) {
    process.labels[labels.substr(0, equals)] = labels.substr(equals + 1);
  }
  process.worker = step.words[4] == "-" ? "" : step.words[4];
}

// The child knows what its parent knows, and has counted nothing yet.
void Model::Fork(const Step& step) {
  Process child = processes_.at(step.process());
  child.has_file = false;
  child.shares.clear();
  child.is_clone |= step.verb() == "clone";
  processes_[step.child()] = child;
}

void Model::End(Process* process) {
  process->is_alive = false;
  for (Share& share : process->shares) {
    share.is_live = false;
  }
}

void Model::SetPid(int process, const std::string& pid) {
  processes_.at(process).pid = pid;
}

void Model::SetBirth(int process, uint64_t birth_ns) {
  Process& of = processes_.at(process);
  of.birth_ns = birth_ns;
  for (Share& share : of.shares) {
    share.birth_ns = birth_ns;
  }
}

bool Model::HasFile(int process) const {
  return processes_.at(process).has_file;
}

// ---- Series -----------------------------------------------------------------

// Several of a state set.
std::vector<Share*> Model::Find(const Name& name, Process* process) {
  std::vector<Share*> found;
  for (Share& share : process->shares) {
    if (share.metric.name == name.first && share.label == name.second &&
        !share.is_removed) {
      found.push_back(&share);
    }
  }
  return found;
}

void Model::Put(const Name& name, Process* process) {
  Share share;
  share.metric = MetricOf(name.first, process->variant);
  share.label = name.second;
  share.is_live = true;
  share.buckets.resize(share.metric.bounds.size() + 1);
  share.file_order = process->file_order;
  share.birth_ns = process->birth_ns;
  const std::vector<std::string> no_states = {""};
  for (const std::string& state :
       share.metric.states.empty() ? no_states : share.metric.states) {
    share.state = state;
    share.labels =
        LabelsOf(share, name.second, process->labels,
                 process->worker.empty() ? process->pid : process->worker);
    process->shares.push_back(share);
  }
}

// The first touch makes the file and brings along what the process knows.
void Model::Touch(const Name& name, Process* process) {
  const bool is_new = process->registry.insert(name).second;
  if (!process->has_file) {
    process->has_file = true;
    process->file_order = ++file_count_;
    for (const Name& known : process->registry) {
      Put(known, process);
    }
  } else if (is_new) {
    Put(name, process);
  }
}

void Model::Change(const Step& step, Process* process) {
  ++set_count_;
  for (Share* share : Find({step.metric(), step.label()}, process)) {
    switch (share->metric.instrument) {
      case Instrument::kCounter:
        share->whole += WholeOf(step);
        break;
      case Instrument::kUpDownCounter:
        share->net += std::atoll(step.value().c_str());
        break;
      case Instrument::kDoubleCounter:
        share->number += NumberOf(step);
        break;
      case Instrument::kGauge:
        share->number =
            (step.verb() == "add" ? share->number : 0) + NumberOf(step);
        share->is_set = true;
        share->set_order = set_count_;
        break;
      case Instrument::kHistogram:
      case Instrument::kSummary:
        Observe(NumberOf(step), share);
        break;
      case Instrument::kStateSet:
        SetState(step, set_count_, share);
        break;
      case Instrument::kInfo:
        share->number = 1;
        share->is_set = true;
        break;
    }
  }
}

bool Model::Remove(const Name& name, Process* process) {
  if (process->registry.erase(name) == 0) {
    return false;
  }
  for (Share* share : Find(name, process)) {
    share->is_removed = true;
  }
  return true;
}

// All series of the metric but one.
void Model::Clear(const std::string& metric, const Name& kept,
                  Process* process) {
  const std::set<Name> known = process->registry;
  for (const Name& name : known) {
    if (name.first == metric && name != kept) {
      Remove(name, process);
    }
  }
}

// ---- Folding ----------------------------------------------------------------

// What is set expires an hour after the last fold that knew of it. (An up-down
// counter is not set.)
void Model::Expire() {
  std::map<std::string, int> last_hours;
  for (const Archived& archived : archive_) {
    int& last = last_hours[KeyOf(archived.share)];
    last = std::max(last, archived.hour);
  }
  archive_.erase(std::remove_if(archive_.begin(), archive_.end(),
                                [&](const Archived& archived) {
                                  return IsSettable(archived.share.metric) &&
                                         last_hours.at(KeyOf(archived.share)) <
                                             hour_;
                                }),
                 archive_.end());
}

void Model::Fold() {
  Expire();
  std::set<std::string> removed;
  std::set<std::string> held;
  for (auto& [number, process] : processes_) {
    std::vector<Share> kept;
    for (const Share& share : process.shares) {
      (share.is_removed ? removed : held).insert(KeyOf(share));
      if (process.is_alive && !share.is_removed) {
        kept.push_back(share);
        continue;
      }
      // What is gone already leaves nothing.
      Share left = share;
      left.is_live = false;
      if (IsPresent(left)) {
        left.is_removed = false;
        archive_.push_back({left, hour_});
      }
    }
    process.shares = kept;
  }
  // What somebody has removed and nobody has any more leaves.
  archive_.erase(std::remove_if(archive_.begin(), archive_.end(),
                                [&](const Archived& archived) {
                                  const std::string key = KeyOf(archived.share);
                                  return removed.count(key) != 0 &&
                                         held.count(key) == 0;
                                }),
                 archive_.end());
}

std::string Model::Difference(const Served& served) const {
  std::vector<Share> shares;
  for (const auto& [number, process] : processes_) {
    shares.insert(shares.end(), process.shares.begin(), process.shares.end());
  }
  for (const Archived& archived : archive_) {
    shares.push_back(archived.share);
  }
  return DifferenceFrom(shares, served);
}

}  // namespace tine::model
