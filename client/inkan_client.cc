#include "client/inkan_client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/time/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inkan/v1/operations.grpc.pb.h"
#include "inkan/v1/verification.grpc.pb.h"

namespace inkan {
namespace {

// The codes have the same numbers.
absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(
    const ClientOptions& options) {
  if (!options.tls.has_value()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = options.tls->ca;
  tls.pem_cert_chain = options.tls->certificate;
  tls.pem_private_key = options.tls->private_key;
  return grpc::SslCredentials(tls);
}

}  // namespace

struct Client::Stubs {
  explicit Stubs(const ClientOptions& options) : timeout(options.timeout) {
    grpc::ChannelArguments arguments;
    // Answers are as large as what was asked.
    arguments.SetMaxReceiveMessageSize(-1);
    const std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
        options.target, CredentialsOf(options), arguments);
    verification = v1::VerificationService::NewStub(channel);
    operations = v1::OperationsService::NewStub(channel);
    health = grpc::health::v1::Health::NewStub(channel);
  }

  // Makes one unary call with the timeout.
  template <typename Response, typename Stub, typename Request>
  absl::StatusOr<Response> Call(
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   Response*),
      Stub* stub, const Request& request) const {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    Response response;
    const grpc::Status status = (stub->*method)(&context, request, &response);
    if (!status.ok()) return FromGrpc(status);
    return response;
  }

  const absl::Duration timeout;
  std::unique_ptr<v1::VerificationService::Stub> verification;
  std::unique_ptr<v1::OperationsService::Stub> operations;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

Client::Client(std::unique_ptr<Stubs> stubs) : stubs_(std::move(stubs)) {}
Client::~Client() = default;

std::unique_ptr<Client> Client::Connect(const ClientOptions& options) {
  return std::unique_ptr<Client>(new Client(std::make_unique<Stubs>(options)));
}

absl::StatusOr<v1::Verdict> Client::Verify(const v1::Filing& filing,
                                           bool want_checks) {
  v1::VerifyRequest request;
  *request.mutable_filing() = filing;
  request.set_want_checks(want_checks);
  auto response =
      stubs_->Call<v1::VerifyResponse>(&v1::VerificationService::Stub::Verify,
                                       stubs_->verification.get(), request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_verdict());
}

absl::StatusOr<std::vector<v1::Verdict>> Client::BatchVerify(
    absl::Span<const v1::Filing> filings, bool want_checks) {
  v1::BatchVerifyRequest request;
  request.mutable_filings()->Add(filings.begin(), filings.end());
  request.set_want_checks(want_checks);
  auto response = stubs_->Call<v1::BatchVerifyResponse>(
      &v1::VerificationService::Stub::BatchVerify, stubs_->verification.get(),
      request);
  if (!response.ok()) return response.status();
  if (static_cast<size_t>(response->verdicts_size()) != filings.size()) {
    return absl::InternalError("the server sent another number of verdicts");
  }
  return std::vector<v1::Verdict>(response->verdicts().begin(),
                                  response->verdicts().end());
}

absl::StatusOr<v1::Verdict> Client::CheckCertificate(
    const v1::CheckCertificateRequest& request) {
  auto response = stubs_->Call<v1::CheckCertificateResponse>(
      &v1::VerificationService::Stub::CheckCertificate,
      stubs_->verification.get(), request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_verdict());
}

absl::StatusOr<v1::GetStatusResponse> Client::GetStatus(bool omit_partitions) {
  v1::GetStatusRequest request;
  request.set_omit_partitions(omit_partitions);
  return stubs_->Call<v1::GetStatusResponse>(
      &v1::OperationsService::Stub::GetStatus, stubs_->operations.get(),
      request);
}

absl::StatusOr<v1::LookupRevocationResponse> Client::LookupRevocation(
    const v1::LookupRevocationRequest& request) {
  return stubs_->Call<v1::LookupRevocationResponse>(
      &v1::OperationsService::Stub::LookupRevocation, stubs_->operations.get(),
      request);
}

absl::StatusOr<v1::ReloadResponse> Client::Reload() {
  return stubs_->Call<v1::ReloadResponse>(&v1::OperationsService::Stub::Reload,
                                          stubs_->operations.get(),
                                          v1::ReloadRequest());
}

absl::StatusOr<bool> Client::IsServing(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  auto response = stubs_->Call<grpc::health::v1::HealthCheckResponse>(
      &grpc::health::v1::Health::Stub::Check, stubs_->health.get(), request);
  if (!response.ok()) return response.status();
  return response->status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

}  // namespace inkan
