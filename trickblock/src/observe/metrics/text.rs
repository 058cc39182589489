//! The text form (OpenMetrics 1.0).

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, text},
    metrics::{MetricType, exemplar::Exemplar},
    registry::Registry,
};

use super::{Family, Kind, Metrics, Sample};

/// What an HTTP server calls the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type NoExemplar = Option<&'static Exemplar<Vec<(String, String)>, u64>>;

impl Metrics {
    /// As a scrape gets it, `# EOF` included.
    pub fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut out = String::new();
        // A string takes everything that is written to it.
        text::encode(&mut out, &registry).unwrap_or_default();
        out
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.families {
            let Family {
                name, help, kind, ..
            } = family;
            let metric = encoder.encode_descriptor(name, help, None, kind.metric_type())?;
            samples(metric, family)?;
        }
        Ok(())
    }
}

fn samples(mut metric: MetricEncoder<'_>, family: &Family) -> fmt::Result {
    for Sample { labels, value } in &family.samples {
        let mut sample = metric.encode_family(labels)?;
        match family.kind {
            Kind::Counter => sample.encode_counter(value, None as NoExemplar)?,
            Kind::Gauge => sample.encode_gauge(value)?,
        }
    }
    Ok(())
}

impl Kind {
    fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
        }
    }
}
