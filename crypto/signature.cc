#include "crypto/signature.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/ecdsa.h"
#include "crypto/rsa_padding.h"

namespace inkan {
namespace {

// Jobs taken at a time: enough to fill the lanes of every size class several
// times over, few enough that the recovered encodings (512 octets each) stay in
// the first-level cache and on the stack.
constexpr size_t kChunk = 64;

using Encoding = std::array<uint8_t, kRsaModulusBitsMax / 8>;

Fault CheckJob(const SignatureJob& job) {
  Fault fault = CheckAlgorithmStrength(job.algorithm);
  if (fault.ok()) fault = CheckKeyStrength(*job.key);
  if (!fault.ok()) return fault;
  const bool rsa_key = job.key->kind == KeyKind::kRsa;
  if (rsa_key != (job.algorithm.scheme != SignatureScheme::kEcdsa)) {
    return {"signatureAlgorithm", "not an algorithm of this kind of key"};
  }
  if (job.digest.size() != DigestSize(job.algorithm.hash)) {
    return {"digest", "not as long as the hash algorithm's"};
  }
  return {};
}

void JudgeRsa(Bytes encoding, SignatureJob* job) {
  if (job->algorithm.scheme == SignatureScheme::kRsaPss) {
    const bool valid = PssMatches(encoding, job->key->rsa_modulus_bits - 1,
                                  job->algorithm.hash,
                                  job->algorithm.pss_salt_bytes, job->digest);
    job->result = valid ? SignatureResult::kValid : SignatureResult::kInvalid;
    return;
  }
  switch (MatchPkcs1(encoding, job->algorithm.hash, job->digest)) {
    case Pkcs1Match::kSame:
      job->result = SignatureResult::kValid;
      break;
    case Pkcs1Match::kOtherDigest:
      job->result = SignatureResult::kHashMismatch;
      break;
    case Pkcs1Match::kDifferent:
      job->result = SignatureResult::kInvalid;
      break;
  }
}

void VerifyChunk(absl::Span<SignatureJob> jobs) {
  RsaJob rsa_jobs[kChunk];
  SignatureJob* owners[kChunk];
  Encoding encodings[kChunk];
  size_t rsa_count = 0;
  for (SignatureJob& job : jobs) {
    job.result = SignatureResult::kNotVerified;
    job.fault = CheckJob(job);
    if (!job.fault.ok()) {
      job.result = SignatureResult::kRefused;
    } else if (job.key->kind == KeyKind::kRsa) {
      RsaJob& rsa = rsa_jobs[rsa_count];
      rsa.key = job.key;
      rsa.prepared = job.prepared;
      rsa.signature = job.signature;
      rsa.result = encodings[rsa_count].data();
      owners[rsa_count++] = &job;
    } else {
      VerifyEcdsa(*job.key, job.digest, job.signature, &job.fault)
          ? job.result = SignatureResult::kValid
          : job.result = SignatureResult::kInvalid;
    }
  }
  if (rsa_count == 0) return;
  RsaPublicOperations(absl::MakeSpan(rsa_jobs, rsa_count));
  for (size_t i = 0; i < rsa_count; ++i) {
    if (rsa_jobs[i].fault.ok()) {
      JudgeRsa(Bytes(encodings[i].data(), owners[i]->key->rsa_modulus.size()),
               owners[i]);
    } else {
      // The key was accepted above, so this is the signature's form.
      owners[i]->fault = rsa_jobs[i].fault;
      owners[i]->result = SignatureResult::kInvalid;
    }
  }
}

}  // namespace

void VerifyBatch(absl::Span<SignatureJob> jobs) {
  while (!jobs.empty()) {
    const size_t count = std::min(jobs.size(), kChunk);
    VerifyChunk(jobs.first(count));
    jobs.remove_prefix(count);
  }
}

}  // namespace inkan
