// The processes of a program, with the real writer.

#ifndef TINE_TESTS_MODEL_WRITER_PROCESSES_H_
#define TINE_TESTS_MODEL_WRITER_PROCESSES_H_

#include <sys/types.h>

#include <map>
#include <string>

#include "tests/model/program.h"

namespace tine::model {

// One at a time in a process. Not thread-safe.
class WriterProcesses {
 public:
  explicit WriterProcesses(const std::string& directory);
  // Kills those that are left.
  ~WriterProcesses();
  WriterProcesses(const WriterProcesses&) = delete;
  WriterProcesses& operator=(const WriterProcesses&) = delete;

  // Returns when the step is done: what was counted is in the file, what was
  // killed is dead and its lock free. The answer: "ok", "no", or what went
  // wrong.
  std::string Do(const Step& step);

  // Of one that was started. Its metric file's name: empty when it has none.
  pid_t pid(int process) const { return pids_.at(process); }
  const std::string& file(int process) const { return files_.at(process); }

 private:
  std::string Start(const Step& step);
  std::string Fork(const Step& step);
  std::string End(const Step& step);
  // The next answer of the process, without the file's name, which is noted.
  std::string Receive(int process);
  [[noreturn]] void Run(const Step& start) const;

  const std::string directory_;
  // Made before the first process, so that each can hand on those of its
  // children: by process, the driver's end and the process's.
  int driver_ends_[kMaxProcesses];
  int process_ends_[kMaxProcesses];
  std::map<int, pid_t> pids_;
  std::map<int, std::string> files_;
};

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_WRITER_PROCESSES_H_
