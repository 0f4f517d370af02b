"""The subcategories for the house, the larder, children, garden and animals (read by `taxonomy`, one line each)."""
# ruff: noqa: E501 - a table: one subcategory a line reads better than any folding of it

LIVING_ROWS = """
kitchen/pans       | metal   | 58 .45 .9 0 | autumn any | Frying Pan; Casserole; Saucepan; Skillet | cast iron; copper; steel | Sunday stews; eggs that do not stick
kitchen/knives     | wood    | 44 .60 .7 0 | any any | Chef's Knife; Bread Knife; Paring Knife | carbon steel; steel | thin tomatoes; hard crusts
kitchen/mugs       | hush    | 11 .38 1.3 0 | winter any | Mug; Espresso Cup; Breakfast Bowl; Tumbler | stoneware; porcelain; glass | the second coffee; both hands
kitchen/jars       | hush    | 14 .42 .9 0 | any any | Storage Jar; Flour Jar; Spice Jar | glass; stoneware; enamel | rice, oats and beans; an orderly shelf
kitchen/coffee-makers | metal | 59 .60 .7 0 | winter any | Moka Pot; Pour-Over Set; French Press; Kettle | steel; glass; aluminium | four small cups; slow Saturdays
pantry/coffee      | coffee  | 8.9 .26 1.3 19 | any any | Coffee Beans; Ground Coffee | 250 g; 500 g; 1 kg | filter and French press; a short, dark cup
pantry/tea         | tea     | 6.2 .32 1.1 32 | winter any | Loose Tea; Tea Bags | 100 g; 40 bags; 200 g | four o'clock; late evenings
pantry/chocolate   | chocolate | 4.2 .30 1.2 16 | winter any | Chocolate Bar; Chocolate Squares | 80 g; 100 g; 150 g | after supper; sharing, perhaps
pantry/olive-oil   | oil     | 11.5 .34 .8 38 | any any | Olive Oil; Extra Virgin Olive Oil | 250 ml; 500 ml; 750 ml | tomatoes and good bread; every pan
pantry/preserves   | preserve | 5.1 .28 .9 30 | any any | Preserve; Fruit Spread | 220 g; 340 g | toast and porridge; a cheese board
home/lamps         | hush    | 69 .50 .9 0 | winter any | Table Lamp; Desk Lamp; Reading Lamp; Pendant | linen; brass; stoneware; steel | dark afternoons; the corner by the armchair
home/candles       | scent   | 16 .50 1.2 38 | winter any | Scented Candle; Candle in Glass | soy wax; beeswax | bath nights; a long table
home/cushions      | hush    | 24 .44 1.2 0 | autumn any | Cushion; Bolster; Floor Cushion | linen; velvet; wool; organic cotton | tired sofas; reading in bed
home/throws        | hush    | 46 .48 1.0 0 | winter cold | Throw; Blanket; Waffle Blanket | lambswool; organic cotton; mohair | film nights; the end of the bed
home/vases         | hush    | 28 .52 .9 0 | spring any | Vase; Bud Vase; Carafe | stoneware; glass; porcelain | one good branch; tulips
home/towels        | hush    | 16 .46 1.1 0 | any any | Bath Towel; Hand Towel; Beach Towel | organic cotton; linen; waffle cotton | the day's best minute; lakes and pools
home/bedding       | hush    | 72 .42 .8 0 | any any | Duvet Cover; Pillowcase Pair; Sheet Set | washed linen; organic cotton; percale | cool sleepers; slow Sundays
home/soap          | scent   | 5.4 .38 1.2 24 | any any | Bar Soap; Hand Wash; Body Wash | unwrapped; with shea butter; refill | dry winter hands; the guest basin
kids/bodysuits     | small   | 12.5 .32 1.0 45 | any any | Bodysuit; Sleepsuit; Romper | organic cotton; merino | quick changes; soft skin
kids/soft-toys     | small   | 17 .40 .9 0 | winter any | Soft Bear; Soft Rabbit; Cuddle Bear | organic cotton; wool; mohair | being dragged everywhere; naps
kids/wooden-toys   | small   | 21 .48 .9 0 | winter any | Stacking Rings; Rainbow Arch; Ring Tower | beech; maple | small hands; rainy afternoons
kids/nappies       | small   | 13 .24 .8 14 | any any | Nappies; Night Nappies | bamboo; cotton fluff | dry nights; crawlers
kids/prams         | hush    | 330 .35 .35 0 | any rain | Pram; City Buggy; Travel Buggy | aluminium; recycled fabric | kerbs and cobbles; sleeping through errands
garden/planters    | hush    | 22 .55 1.0 0 | spring any | Planter; Hanging Pot; Balcony Box | terracotta; stoneware; zinc | window sills; a balcony of two square metres
garden/houseplants | plant   | 21 .45 .9 0 | any any | Houseplant; Potted Plant; Young Plant | 12 cm; 17 cm; 24 cm | bright corners; forgetful owners
garden/tools       | wood    | 21 .45 .7 0 | spring any | Hand Trowel; Hand Fork; Weeder | forged steel; stainless steel | stubborn roots; bulbs in autumn
garden/watering-cans | metal | 26 .40 .6 0 | summer any | Watering Can; Long-Spout Can; Indoor Can | zinc; steel; recycled plastic | dry July evenings; shelves full of pots
garden/seeds       | seed    | 3.6 .28 .9 40 | spring any | Seeds; Seed Packet | organic; heirloom | a sunny sill; the first bed of the year
pets/dog-beds      | hush    | 58 .45 .8 0 | winter any | Dog Bed; Nest Bed; Crate Mat | wool felt; organic cotton; recycled fleece | muddy dogs; very long naps
pets/leads         | leather | 22 .44 .8 0 | any any | Dog Lead; Rope Lead; Dog Collar | leather; recycled rope; webbing | two walks a day; strong pullers
pets/bowls         | metal   | 15 .40 .7 0 | any any | Pet Bowl; Slow Bowl; Water Bowl | stoneware; steel; enamel | messy eaters; kitchen corners
pets/pet-food      | feed    | 13 .40 1.2 21 | any any | Dry Food; Complete Food; Grain-Free Food | 1 kg; 2 kg; 4 kg | grown dogs; fussy stomachs
"""
