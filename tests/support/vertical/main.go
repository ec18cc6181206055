// Runs the recommender of the VerticalPodAutoscaler on cases from stdin: one JSON value per line, one answer per step.
//
// {"start": ...} begins with an empty cluster and one VerticalPodAutoscaler, {"step": ...} gives it the pods, what they used
// and which were killed for memory. The model, the aggregation, the estimators and the capping are those of the module, with
// the defaults of its flags; only what reads metrics.k8s.io and writes the status is left out.
//
// `.ci/vertical` builds it, tests/support/vertical/__init__.py runs it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"math"
	"os"
	"time"

	autoscaling "k8s.io/api/autoscaling/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	vpav1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/config"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/routines"
	controllerfetcher "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/target/controller_fetcher"
	"k8s.io/klog/v2"
)

// Line is one line of stdin: exactly one of its fields is given.
type Line struct {
	Start *Start
	Step  *Step
}

// Start begins a case. CPU is in millicores, memory in bytes; a field without a value keeps the default of the flag.
type Start struct {
	MinCPU, MaxCPU, MinMemory, MaxMemory int64
	CPUPercentile, MemoryPercentile      *float64
	Margin                               *float64
}

// Step is what the recommender sees next. Times are in seconds since the epoch.
type Step struct {
	Now     float64
	Pods    []string
	Samples []Sample
	Kills   []Kill
}

// Sample is the use of one pod; a resource without a value was not measured.
type Sample struct {
	Pod    string
	At     float64
	CPU    *int64
	Memory *int64
}

// Kill is a kill for memory, with the memory that the container had requested.
type Kill struct {
	Pod    string
	At     float64
	Memory int64
}

// Answer has the recommendation by resource, in millicores and bytes; nothing before the first sample.
type Answer struct {
	Target   map[core.ResourceName]int64 `json:"target"`
	Lower    map[core.ResourceName]int64 `json:"lower"`
	Upper    map[core.ResourceName]int64 `json:"upper"`
	Uncapped map[core.ResourceName]int64 `json:"uncapped"`
}

func main() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	defaults := config.DefaultRecommenderConfig()
	flag.Parse()
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	var cluster *cluster
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		var line Line
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err != nil {
			log.Fatal(err)
		}
		if line.Start != nil {
			cluster = newCluster(line.Start, *defaults)
			continue
		}
		answer, _ := json.Marshal(cluster.step(line.Step))
		if _, err := os.Stdout.Write(append(answer, '\n')); err != nil {
			log.Fatal(err)
		}
	}
}

// cluster has the model of a cluster with one VerticalPodAutoscaler.
type cluster struct {
	state       model.ClusterState
	recommender logic.PodResourceRecommender
	capping     routines.RecommendationPostProcessor
	object      *vpav1.VerticalPodAutoscaler
	pods        map[string]bool
}

var id = model.VpaID{Namespace: "n", VpaName: "m"}

func newCluster(start *Start, flags config.RecommenderConfig) *cluster {
	set := func(flag *float64, value *float64) {
		if value != nil {
			*flag = *value
		}
	}
	set(&flags.TargetCPUPercentile, start.CPUPercentile)
	set(&flags.TargetMemoryPercentile, start.MemoryPercentile)
	set(&flags.SafetyMarginFraction, start.Margin)
	model.InitializeAggregationsConfig(model.NewAggregationsConfig(
		flags.MemoryAggregationInterval, flags.MemoryAggregationIntervalCount, flags.MemoryHistogramDecayHalfLife,
		flags.CpuHistogramDecayHalfLife, flags.OOMBumpUpRatio, flags.OOMMinBumpUp))
	recommender := logic.CreatePodResourceRecommender(logic.RecommendationConfig{
		SafetyMarginFraction:       flags.SafetyMarginFraction,
		PodMinCPUMillicores:        flags.PodMinCPUMillicores,
		PodMinMemoryMb:             flags.PodMinMemoryMb,
		TargetCPUPercentile:        flags.TargetCPUPercentile,
		LowerBoundCPUPercentile:    flags.LowerBoundCPUPercentile,
		UpperBoundCPUPercentile:    flags.UpperBoundCPUPercentile,
		ConfidenceIntervalCPU:      flags.ConfidenceIntervalCPU,
		TargetMemoryPercentile:     flags.TargetMemoryPercentile,
		LowerBoundMemoryPercentile: flags.LowerBoundMemoryPercentile,
		UpperBoundMemoryPercentile: flags.UpperBoundMemoryPercentile,
		ConfidenceIntervalMemory:   flags.ConfidenceIntervalMemory,
	})
	object := &vpav1.VerticalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: id.Namespace, Name: id.VpaName},
		Spec: vpav1.VerticalPodAutoscalerSpec{
			TargetRef: &autoscaling.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "m"},
			ResourcePolicy: &vpav1.PodResourcePolicy{ContainerPolicies: []vpav1.ContainerResourcePolicy{{
				ContainerName: "c",
				MinAllowed:    amounts(start.MinCPU, start.MinMemory),
				MaxAllowed:    amounts(start.MaxCPU, start.MaxMemory),
			}}},
		},
	}
	state := model.NewClusterState(time.Hour)
	selector := labels.SelectorFromSet(labels.Set{"app": "m"})
	if err := state.AddOrUpdateVpa(object, selector); err != nil {
		log.Fatal(err)
	}
	return &cluster{state, recommender, routines.NewCappingRecommendationProcessor(nil), object, map[string]bool{}}
}

func amounts(cpu, memory int64) core.ResourceList {
	return core.ResourceList{
		core.ResourceCPU:    *resource.NewMilliQuantity(cpu, resource.DecimalSI),
		core.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
	}
}

func (c *cluster) step(step *Step) Answer {
	present := map[string]bool{}
	for _, name := range step.Pods {
		present[name] = true
		container := containerOf(name)
		c.state.AddOrUpdatePod(container.PodID, labels.Set{"app": "m"}, core.PodRunning)
		if err := c.state.AddOrUpdateContainer(container, model.Resources{}); err != nil {
			log.Fatal(err)
		}
	}
	for _, sample := range step.Samples {
		c.add(sample, model.ResourceCPU, sample.CPU)
		c.add(sample, model.ResourceMemory, sample.Memory)
	}
	for _, kill := range step.Kills {
		// An error says that the kill is too old, which the recommender only logs.
		_ = c.state.RecordOOM(containerOf(kill.Pod), seconds(kill.At), model.ResourceAmount(kill.Memory))
	}
	for name := range c.pods {
		if !present[name] {
			c.state.DeletePod(containerOf(name).PodID)
		}
	}
	c.pods = present
	answer := c.recommend()
	c.state.RateLimitedGarbageCollectAggregateCollectionStates(context.Background(), seconds(step.Now), noController{})
	return answer
}

func (c *cluster) add(sample Sample, name model.ResourceName, value *int64) {
	if value == nil {
		return
	}
	// An error says that the sample is out of order, which the recommender only counts.
	_ = c.state.AddSample(&model.ContainerUsageSampleWithKey{
		ContainerUsageSample: model.ContainerUsageSample{
			MeasureStart: seconds(sample.At), Usage: model.ResourceAmount(*value), Resource: name,
		},
		Container: containerOf(sample.Pod),
	})
}

func (c *cluster) recommend() Answer {
	found := c.recommender.GetRecommendedPodResources(routines.GetContainerNameToAggregateStateMap(c.state.VPAs()[id]))
	format := logic.RecommendationFormat{RoundCPUMillicores: 1, RoundMemoryBytes: 1}
	list := c.capping.Process(c.object, logic.MapToListOfRecommendedContainerResources(found, format))
	var answer Answer
	for _, one := range list.ContainerRecommendations {
		answer = Answer{numbers(one.Target), numbers(one.LowerBound), numbers(one.UpperBound), numbers(one.UncappedTarget)}
	}
	return answer
}

func numbers(list core.ResourceList) map[core.ResourceName]int64 {
	cpu, memory := list[core.ResourceCPU], list[core.ResourceMemory]
	return map[core.ResourceName]int64{core.ResourceCPU: cpu.MilliValue(), core.ResourceMemory: memory.Value()}
}

func containerOf(pod string) model.ContainerID {
	return model.ContainerID{PodID: model.PodID{Namespace: id.Namespace, PodName: pod}, ContainerName: "c"}
}

func seconds(value float64) time.Time { return time.Unix(0, int64(math.Round(value*1e9))).UTC() }

// noController says that no pod has a controller.
type noController struct{}

func (noController) FindTopMostWellKnownOrScalable(
	context.Context, *controllerfetcher.ControllerKeyWithAPIVersion,
) (*controllerfetcher.ControllerKeyWithAPIVersion, error) {
	return nil, nil
}
