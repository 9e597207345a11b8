// Is a metric file's writer alive? The truth is its life lock: an OFD write
// lock that lives exactly as long as the process image. Pids and start times
// are reused within seconds and mean nothing across namespaces.

#ifndef TINE_COLLECTOR_LIVENESS_H_
#define TINE_COLLECTOR_LIVENESS_H_

#include <cstdint>
#include <string_view>

#include "collector/writer_identity.h"
#include "common/boot_id.h"
#include "common/metrics_directory.h"

namespace tine::collector {

enum class Liveness {
  kLive,     // its lock is held
  kDead,     // proved: its numbers are final
  kForeign,  // another kernel's, whose locks cannot be seen here: served, never
             // folded
  kUnproven,  // its lock does not work and nothing else proves its death:
              // served
};
std::string_view LivenessName(Liveness liveness);

// Where the collector itself stands. Tests make their own.
struct HostIdentity {
  BootId boot_id{};
  uint64_t pid_namespace = 0;
  uint64_t time_namespace = 0;

  // From /proc; a field that cannot be read stays zero and then equals no
  // writer's.
  static HostIdentity OfThisProcess();
};

// Is there a write lock on the file that `fd` is open on?
bool IsLifeLockHeld(int fd);
// Is there certainly none? Not when the kernel does not say.
bool IsLifeLockFree(int fd);

class LivenessProbe {
 public:
  explicit LivenessProbe(const HostIdentity& host) : host_(host) {}

  // `fd` is open on the metric file, O_RDONLY; -1 when it cannot be opened any
  // more, so that nobody can ask for its lock. `directory_kind`: a file of
  // another boot on a disk was left behind by that boot; on anything else
  // another kernel may be at work. About 1 us.
  Liveness Probe(int fd, const WriterIdentity& writer,
                 FileSystemKind directory_kind) const;

  // Do the writer's pid and the collector's mean the same? Then it may be shown
  // as it is. (The first namespace of every kernel has the same number.)
  bool IsPidOfThisNamespace(const WriterIdentity& writer) const {
    return host_.pid_namespace != 0 &&
           host_.pid_namespace == writer.pid_namespace &&
           host_.boot_id == writer.boot_id;
  }

  // Does the boot clock show the writer and the collector the same time? (A
  // time namespace sets it apart; a kernel without them has none at all.)
  bool IsBootClockShared(const WriterIdentity& writer) const {
    return host_.boot_id == writer.boot_id && host_.boot_id != BootId{} &&
           host_.time_namespace == writer.time_namespace;
  }

 private:
  bool IsGone(const WriterIdentity& writer) const;

  HostIdentity host_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_LIVENESS_H_
