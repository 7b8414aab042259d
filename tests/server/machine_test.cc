#include "server/machine.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cache/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

TEST(MachineTest, AnIpv6NetworkIsOneMachine) {
  const std::string machine = MachineOfPeer("ipv6:%5B2001:db8:0:1::1%5D:443");
  EXPECT_EQ(MachineOfPeer("ipv6:%5B2001:db8:0:1:ffff::2%5D:444"), machine);
  EXPECT_EQ(MachineOfPeer("ipv6:[2001:db8:0:1::3]:1"), machine);
  EXPECT_NE(MachineOfPeer("ipv6:%5B2001:db8:0:2::1%5D:443"), machine);
  // With a zone, which is escaped itself.
  EXPECT_EQ(MachineOfPeer("ipv6:%5Bfe80::1%252%5D:443"),
            MachineOfPeer("ipv6:%5Bfe80::2%5D:443"));
}

TEST(MachineTest, AnIpv4AddressIsAMachineWhateverItsPort) {
  const std::string machine = MachineOfPeer("ipv4:192.0.2.1:443");
  EXPECT_EQ(MachineOfPeer("ipv4:192.0.2.1:65000"), machine);
  EXPECT_EQ(MachineOfPeer("ipv6:%5B::ffff:192.0.2.1%5D:443"), machine);
  EXPECT_NE(MachineOfPeer("ipv4:192.0.2.2:443"), machine);
}

TEST(MachineTest, WhatIsNoAddressIsAMachineOfItsOwn) {
  for (const char* peer : {"", ":", "unix:", "unix:/run/a", "ipv6:%5B%5D:1",
                           "ipv6:%5B", "ipv4:192.0.2:1", "ipv6:[1::2:1"}) {
    EXPECT_EQ(MachineOfPeer(peer), absl::StrCat("machine:", peer));
  }
}

// Keeps who called last.
class PeerService final : public grpc::CallbackGenericService {
 public:
  std::string peer() {
    MutexLock lock(&mutex_);
    return peer_;
  }

 private:
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    Reactor() { Finish(grpc::Status::OK); }
    void OnDone() override { delete this; }
  };
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    MutexLock lock(&mutex_);
    peer_ = context->peer();
    return new Reactor;
  }

  Mutex mutex_;
  std::string peer_ ABSL_GUARDED_BY(mutex_);
};

// The machine of a caller at the loopback address.
std::string MachineOfCaller(const std::string& host) {
  PeerService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(absl::StrCat(host, ":0"),
                           grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return "";
  grpc::GenericStub stub(grpc::CreateChannel(
      absl::StrCat(host, ":", port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, "/a/b", &queue);
  call->StartCall(nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  server->Shutdown();
  return MachineOfPeer(service.peer());
}

TEST(MachineTest, PeersAreNamedAsGrpcNamesThem) {
  EXPECT_EQ(MachineOfCaller("127.0.0.1"),
            absl::StrCat("machine:", std::string("\x7f\0\0\1", 4)));
  const std::string ipv6 = MachineOfCaller("[::1]");
  if (ipv6.empty()) GTEST_SKIP() << "this system has no IPv6";
  EXPECT_EQ(ipv6, absl::StrCat("machine:", std::string(8, '\0')));
}

}  // namespace
}  // namespace inkan
