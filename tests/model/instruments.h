// A program's process, seen from inside: it counts with the real writer.

#ifndef TINE_TESTS_MODEL_INSTRUMENTS_H_
#define TINE_TESTS_MODEL_INSTRUMENTS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/model/metrics.h"
#include "tests/model/program.h"
#include "writer/info.h"

namespace tine::model {

// Keeps the handles that it has looked up; forked children go on with them.
class Instruments {
 public:
  explicit Instruments(int variant);
  ~Instruments();

  // One of touch, add, thread, set, observe, only, raise, lower, tell, remove,
  // clear. False: there was nothing to remove.
  bool Do(const Step& step);

 private:
  class Handle;
  class Family;

  Family* FamilyOf(const std::string& metric);
  Handle* HandleOf(const Step& step);
  bool Tell(const Step& step);

  const int variant_;
  std::map<std::string, std::unique_ptr<Family>> families_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Handle>>
      handles_;
  std::map<std::string, Info> infos_;
};

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_INSTRUMENTS_H_
