// Stubs and error details for tests that need more of gRPC than the client
// library shows. One thread.
#ifndef INKAN_TESTS_SERVER_RAW_CLIENT_H_
#define INKAN_TESTS_SERVER_RAW_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inkan/v1/operations.grpc.pb.h"
#include "inkan/v1/verification.grpc.pb.h"

namespace inkan::testing {

struct RawClient {
  explicit RawClient(int port,
                     const std::shared_ptr<grpc::ChannelCredentials>&
                         credentials = grpc::InsecureChannelCredentials(),
                     grpc::ChannelArguments arguments = {}) {
    arguments.SetMaxReceiveMessageSize(-1);
    // Each client its own connection, as different clients would have.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                        credentials, arguments);
    verification = v1::VerificationService::NewStub(channel);
    operations = v1::OperationsService::NewStub(channel);
    health = grpc::health::v1::Health::NewStub(channel);
  }

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::VerificationService::Stub> verification;
  std::unique_ptr<v1::OperationsService::Stub> operations;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

// The detail of type Message in a status; default-made if there is none.
template <typename Message>
Message DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  Message message;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& any : details.details()) any.UnpackTo(&message);
  }
  return message;
}

// ErrorInfo as "domain/reason".
inline std::string ReasonOf(const grpc::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  return absl::StrCat(info.domain(), "/", info.reason());
}

// The field that BadRequest names.
inline std::string FieldOf(const grpc::Status& status) {
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  return bad.field_violations_size() == 1 ? bad.field_violations(0).field()
                                          : "";
}

}  // namespace inkan::testing

#endif  // INKAN_TESTS_SERVER_RAW_CLIENT_H_
