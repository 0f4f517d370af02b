"""The subcategories a person wears or takes outside (read by `taxonomy`, one line each)."""
# ruff: noqa: E501 - a table: one subcategory a line reads better than any folding of it

WEAR_ROWS = """
shoes/running      | tech    | 74 .30 1.2 0 | spring any | Running Shoe; Daily Trainer; Tempo Runner; Cushion Runner | recycled mesh; engineered knit | the first kilometres before work; long Sunday runs; tarmac and park paths
shoes/trail        | tech    | 82 .28 1.0 0 | autumn rain | Trail Runner; Mountain Shoe; Approach Shoe; Fell Shoe | ripstop mesh; waxed canvas; suede | wet roots and loose stone; a fast day in the hills
shoes/sneakers     | wear    | 58 .36 1.3 0 | spring any | Court Sneaker; Skate Sneaker; Low Sneaker; Retro Trainer | leather; canvas; suede | the office and after it; city days
shoes/boots        | leather | 96 .34 1.1 0 | autumn rain | Chelsea Boot; Lace Boot; Ankle Boot; Work Boot | leather; suede; waxed leather | wet pavements; the first cold morning
shoes/sandals      | leather | 41 .40 .7 0 | summer heat | Strap Sandal; Slide; Walking Sandal | leather; cork; recycled webbing | hot stone and boat decks; slow afternoons
shoes/slippers     | hush    | 26 .35 .7 0 | winter cold | House Slipper; House Clog; Moccasin | wool felt; sheepskin; boiled wool | cold kitchen floors; Sunday mornings
clothing/t-shirts  | wear    | 17 .40 1.5 0 | summer any | Tee; Pocket Tee; Boxy Tee; Long-Sleeve Tee | organic cotton; linen; merino | every day of the week; wearing alone or under a shirt
clothing/shirts    | wear    | 38 .34 1.1 0 | spring any | Oxford Shirt; Overshirt; Camp Shirt; Work Shirt | organic cotton; linen; flannel | desks and dinners; rolled sleeves
clothing/knitwear  | wear    | 52 .42 1.3 0 | winter cold | Crew Jumper; Cable Jumper; Cardigan; Roll-Neck | lambswool; merino; cashmere; cotton | cold trains; a walk along the sea
clothing/hoodies   | wear    | 42 .30 1.0 0 | autumn any | Hoodie; Zip Hoodie; Sweatshirt | organic cotton; brushed fleece | rest days; the way home from the gym
clothing/dresses   | wear    | 54 .42 1.1 0 | summer any | Wrap Dress; Shirt Dress; Midi Dress; Slip Dress | viscose; linen; silk; organic cotton | weddings and warm evenings; an easy morning choice
clothing/trousers  | wear    | 49 .34 1.2 0 | autumn any | Straight Trouser; Chino; Wide Trouser; Pleat Trouser | denim; organic cotton; corduroy; wool | long days at the desk; weekends on foot
clothing/shorts    | tech    | 25 .34 .8 0 | summer heat | Running Short; Chino Short; Hike Short | recycled nylon; organic cotton; linen | warm runs; hot cities
outerwear/rain-jackets | tech | 96 .42 1.2 0 | autumn rain | Rain Jacket; Rain Shell; Raincoat; Storm Parka | three-layer shell; waxed cotton; recycled nylon | sideways rain; the ride to work in November
outerwear/coats    | wear    | 148 .40 1.0 0 | winter cold | Long Coat; Overcoat; Pea Coat; Duffle Coat | wool; wool blend; cashmere blend | frost and dark afternoons; everything from suits to jumpers
outerwear/fleeces  | tech    | 54 .34 1.0 0 | autumn cold | Fleece; Pile Jacket; Half-Zip Fleece | recycled fleece; wool pile | camp evenings; under a shell
outerwear/down-jackets | tech | 134 .40 .9 0 | winter cold | Puffer Jacket; Padded Vest; Puffer Coat | recycled down; synthetic fill | still, freezing days; packing small
accessories/socks  | wear    | 7.5 .42 1.6 55 | any any | Crew Socks; Hiking Socks; Running Socks; Ribbed Socks | merino; organic cotton; bamboo | boots and trainers; cold feet
accessories/beanies | wear   | 17 .34 1.0 0 | winter cold | Beanie; Bobble Hat; Watch Cap | lambswool; merino; recycled wool | bare trees and clear skies; the back of a bicycle
accessories/scarves | wear   | 29 .48 .9 0 | winter cold | Scarf; Check Scarf; Blanket Scarf | lambswool; cashmere; silk | open collars; train platforms
accessories/gloves | leather | 25 .44 .8 0 | winter cold | Gloves; Mittens; Touch Gloves | leather; merino; recycled fleece | handlebars; frosty mornings
accessories/totes  | wear    | 27 .60 1.0 0 | any any | Tote Bag; Shopper; Market Bag; Day Bag | canvas; leather; recycled cotton | the market and the library; a laptop and a loaf
accessories/umbrellas | tech | 24 .42 .8 0 | autumn rain | Umbrella; Pocket Umbrella; Storm Umbrella | recycled polyester; steel | gusts on bridges; bags with little room
accessories/sunglasses | leather | 46 .55 .7 0 | summer heat | Sunglasses; Round Sunglasses; Driving Sunglasses | acetate; steel | low sun; terraces
accessories/watches | leather | 112 .55 .6 0 | any any | Field Watch; Day Watch; Diver Watch | steel; leather | every day for years; reading at a glance
outdoor/tents      | tech    | 178 .45 .7 0 | summer rain | Two-Person Tent; Dome Tent; Ridge Tent; Family Tent | ripstop nylon; recycled polyester | a flat field and no plan; two sleepers and their boots
outdoor/sleeping-bags | tech | 98 .40 .7 0 | summer cold | Sleeping Bag; Quilt; Three-Season Bag | recycled down; synthetic fill | nights down to zero; huts and camp sites
outdoor/backpacks  | tech    | 79 .45 1.1 0 | any rain | Day Pack; Trek Pack; Roll-Top Pack; Commuter Pack | recycled nylon; waxed canvas | a day's water and a dry layer; hut to hut
outdoor/stoves     | metal   | 42 .45 .6 0 | summer any | Camp Stove; Gas Burner; Kettle Stove | steel; titanium; aluminium | first coffee outside; one pot for two
outdoor/bottles    | tech    | 19 .36 1.1 0 | any any | Bottle; Flask; Insulated Bottle | steel; recycled plastic | desks and summits; tea that is still hot at noon
outdoor/headlamps  | tech    | 33 .42 .7 0 | winter any | Headlamp; Camp Lantern; Running Lamp | aluminium; recycled plastic | early starts; the last hour down
sport/yoga-mats    | hush    | 36 .40 .9 0 | any any | Yoga Mat; Travel Mat; Studio Mat | natural rubber; cork | small living rooms; slow mornings
sport/weights      | hush    | 27 .50 .7 0 | winter any | Kettlebell; Dumbbell Pair; Soft Weight | cast iron; neoprene | ten minutes a day; a corner of the bedroom
sport/helmets      | tech    | 62 .40 .7 0 | spring any | City Helmet; Road Helmet; Gravel Helmet | recycled shell; carbon | cycle lanes and cobbles; long rides
sport/balls        | tech    | 18 .40 .6 0 | summer any | Football; Basketball; Beach Volleyball | recycled rubber; leather | the park until dark; a wall and a friend
sport/goggles      | tech    | 19 .36 .6 0 | summer any | Swim Goggles; Race Goggles; Open-Water Goggles | silicone; recycled plastic | lanes at seven; cold lakes
"""
