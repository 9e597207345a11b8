#include "tests/model/program.h"

#include <cstdlib>
#include <sstream>
#include <utility>

#include "tests/model/metrics.h"

namespace tine::model {
namespace {

// The verbs: how many words a line has, and what the first ones are.
struct Verb {
  const char* name;
  size_t word_count;
  bool has_process;
  bool has_child;
  bool has_metric;
};

constexpr Verb kVerbs[] = {
    {"start", 5, true, false, false},    {"fork", 3, true, true, false},
    {"clone", 3, true, true, false},     {"touch", 4, true, false, true},
    {"add", 5, true, false, true},       {"thread", 5, true, false, true},
    {"set", 5, true, false, true},       {"observe", 5, true, false, true},
    {"only", 5, true, false, true},      {"raise", 5, true, false, true},
    {"lower", 5, true, false, true},     {"tell", 4, true, false, true},
    {"remove", 4, true, false, true},    {"clear", 3, true, false, true},
    {"kill", 2, true, false, false},     {"exit", 2, true, false, false},
    {"tick", 1, false, false, false},    {"fold", 1, false, false, false},
    {"restart", 1, false, false, false}, {"age", 1, false, false, false},
};

const Verb* FindVerb(const std::string& name) {
  for (const Verb& verb : kVerbs) {
    if (name == verb.name) {
      return &verb;
    }
  }
  return nullptr;
}

bool IsNumberBelow(const std::string& word, int limit) {
  return word.size() == 1 && word[0] >= '0' && word[0] < '0' + limit;
}

std::string ProblemOf(const Step& step) {
  const Verb* verb = FindVerb(step.words[0]);
  if (verb == nullptr) {
    return "no such verb: " + step.words[0];
  }
  if (step.words.size() != verb->word_count) {
    return step.words[0] + " takes " + std::to_string(verb->word_count - 1) +
           " words";
  }
  for (size_t i = 1; i <= (verb->has_child     ? 2u
                           : verb->has_process ? 1u
                                               : 0u);
       ++i) {
    if (!IsNumberBelow(step.words[i], kMaxProcesses)) {
      return "no such process: " + step.words[i];
    }
  }
  if (verb->has_metric && !IsMetric(step.words[2])) {
    return "no such metric: " + step.words[2];
  }
  if (step.words[0] == "start" && !IsNumberBelow(step.words[2], kVariants)) {
    return "no such variant: " + step.words[2];
  }
  return "";
}

}  // namespace

int Step::process() const {
  return words.size() > 1 ? std::atoi(words[1].c_str()) : -1;
}

int Step::child() const { return std::atoi(words[2].c_str()); }

std::string Step::metric() const { return words.size() > 2 ? words[2] : ""; }

std::string Step::label() const {
  return words.size() > 3 && words[3] != "-" ? words[3] : "";
}

std::string Step::text() const {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

bool ParseStep(const std::string& line, Step* step, std::string* problem) {
  step->words.clear();
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    step->words.push_back(word);
  }
  *problem = step->words.empty() ? "an empty line" : ProblemOf(*step);
  return problem->empty();
}

bool ParsePrograms(const std::string& text,
                   std::map<std::string, Program>* programs,
                   std::string* problem) {
  std::istringstream lines(text);
  Program* program = nullptr;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string place = "line " + std::to_string(number) + ": ";
    if (line.empty() || line[0] == '#') {
      continue;
    }
    if (line.compare(0, 8, "program ") == 0) {
      program = &(*programs)[line.substr(8)];
      if (!program->empty()) {
        *problem = place + "a second program of this name";
        return false;
      }
      continue;
    }
    Step step;
    if (program == nullptr || !ParseStep(line, &step, problem)) {
      *problem = place + (program == nullptr ? "a step before \"program NAME\""
                                             : *problem);
      return false;
    }
    program->push_back(std::move(step));
  }
  return true;
}

std::string FormatProgram(const std::string& name, const Program& program) {
  std::string text = "program " + name + "\n";
  for (const Step& step : program) {
    text += step.text() + "\n";
  }
  return text;
}

}  // namespace tine::model
