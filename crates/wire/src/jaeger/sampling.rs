//! What clients hear that ask how much to sample: everything, because what to keep is decided here.

use prost::Message;

/// The answer of `GET /sampling?service=…`: the probability 1.
pub fn strategy_json() -> &'static str {
    r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}}"#
}

#[derive(Message)]
struct Strategy {
    /// 0 is probabilistic.
    #[prost(int32, tag = "1")]
    strategy_type: i32,
    #[prost(message, optional, tag = "2")]
    probabilistic: Option<Probabilistic>,
}

#[derive(Message)]
struct Probabilistic {
    #[prost(double, tag = "1")]
    sampling_rate: f64,
}

/// The answer of `jaeger.api_v2.SamplingManager/GetSamplingStrategy`.
pub fn strategy_protobuf() -> Vec<u8> {
    Strategy { strategy_type: 0, probabilistic: Some(Probabilistic { sampling_rate: 1.0 }) }.encode_to_vec()
}
