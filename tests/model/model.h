// The collector once more, slow and obvious: it keeps for each process its
// series and of the dead what was folded. Shares no code with the collector.

#ifndef TINE_TESTS_MODEL_MODEL_H_
#define TINE_TESTS_MODEL_MODEL_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/answer.h"
#include "tests/model/program.h"

namespace tine::model {

class Model {
 public:
  // False: the step makes no sense now (its process does not live, say), or
  // what it does is left open. Then it is to be left out.
  bool Accepts(const Step& step) const;

  // What the process answers: "ok", or "no" to a removal of nothing.
  std::string Do(const Step& step);

  // What the model cannot know by itself.
  void SetPid(int process, const std::string& pid);
  void SetBirth(int process, uint64_t birth_ns);

  // Has the process made a file?
  bool HasFile(int process) const;

  // See DifferenceFrom().
  std::string Difference(const Served& served) const;

 private:
  using Name = std::pair<std::string, std::string>;  // metric and label
  struct Process {
    bool is_alive = true;
    bool has_file = false;
    bool is_clone = false;
    int variant = 0;
    Labels labels;
    std::string worker;
    std::string pid;
    int file_order = 0;
    uint64_t birth_ns = 0;
    std::set<Name> registry;    // what the process image knows
    std::vector<Share> shares;  // what is in the file
  };
  struct Archived {
    Share share;
    int hour;  // of the fold
  };

  bool AcceptsChange(const Step& step, const Process& process) const;
  const Process* FindAlive(int number) const;
  static std::vector<Share*> Find(const Name& name, Process* process);
  static void Put(const Name& name, Process* process);
  void Touch(const Name& name, Process* process);
  void Change(const Step& step, Process* process);
  static bool Remove(const Name& name, Process* process);
  static void Clear(const std::string& metric, const Name& kept,
                    Process* process);
  void Begin(const Step& step);
  void Fork(const Step& step);
  void End(Process* process);
  void Expire();
  void Fold();

  std::map<int, Process> processes_;
  std::vector<Archived> archive_;
  int file_count_ = 0;
  uint64_t set_count_ = 0;
  int hour_ = 0;
};

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_MODEL_H_
